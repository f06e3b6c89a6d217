"""How long the largest dump of the API takes: `python -m bench.dumps FILE` decodes pods.json as analyze does."""

from __future__ import annotations

import gc
from pathlib import Path

import click

from analyzer.bundle.directory import DiskFile
from analyzer.model.kubernetes import Pod
from analyzer.parse.kubernetes_json import decode_objects


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def main(file: Path) -> None:
    """Print how many pods were read."""
    gc.disable()
    data = DiskFile(file, file.stat().st_size).read()
    click.echo(len(decode_objects("cluster/pods.json", data, Pod).value))
    gc.freeze()


if __name__ == "__main__":
    main()
