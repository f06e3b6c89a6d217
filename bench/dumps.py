"""How long the largest dump of the API takes: `python -m bench.dumps FILE` decodes pods.json as analyze does."""

from __future__ import annotations

import gc
from pathlib import Path

import click

from analyzer.bundle.directory import DiskFile
from analyzer.model.kubernetes import Pod
from analyzer.parse.kubernetes_json import read_objects


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def main(file: Path) -> None:
    """Print how many pods were read."""
    gc.disable()
    pieces = DiskFile(file, file.stat().st_size).pieces
    click.echo(len(read_objects("cluster/pods.json", pieces, Pod).value))
    gc.freeze()


if __name__ == "__main__":
    main()
