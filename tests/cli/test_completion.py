from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from analyzer.cli.commands import cli
from tests.bundles import files_of, laid_out, sample
from tests.command_line import ROOT

HEALTHY = str(sample("healthy"))


def offered(*words: str, incomplete: str = "") -> list[str]:
    """What a shell offers after these words."""
    shell = BashComplete(cli, {}, "svcbundle", "_SVCBUNDLE_COMPLETE")
    return [item.value for item in shell.get_completions(list(words), incomplete)]


@pytest.mark.parametrize(
    ("words", "incomplete", "wanted"),
    [
        pytest.param([], "exp", ["explain"], id="command"),
        pytest.param(["analyze"], "--fail", ["--fail-on"], id="option"),
        pytest.param(["explain"], "rules-hook", ["rules-hook-missing"], id="slug"),
        pytest.param(
            ["analyze", HEALTHY, "--select"],
            "rules-hook-missing,hairpin-d",
            ["rules-hook-missing,hairpin-disabled"],
            id="slug after a comma",
        ),
        pytest.param(
            ["show", HEALTHY, "--node"], "node-", ["node-a", "node-b", "node-c"], id="node"
        ),
        pytest.param(
            ["diff", HEALTHY, "--nodes", "node-a"], "node-b", ["node-b"], id="second node"
        ),
        pytest.param(
            ["analyze", HEALTHY, "--service"],
            "shop/web-",
            ["shop/web-lb", "shop/web-nodeport"],
            id="Service",
        ),
        pytest.param(["analyze", "--node"], "", [], id="no bundle"),
        pytest.param(["analyze", "nowhere.tgz", "--node"], "", [], id="no such bundle"),
        pytest.param(["analyze", __file__, "--service"], "", [], id="no bundle at all"),
    ],
)
def test_tab_offers_what_fits(words: list[str], incomplete: str, wanted: list[str]) -> None:
    assert offered(*words, incomplete=incomplete) == wanted


def test_a_name_that_a_shell_would_run_is_not_offered(tmp_path: Path) -> None:
    files = files_of("healthy")
    files.pop("manifest.json")
    for bad in ("$(reboot)", "a\x1b[31mb", "a b"):
        files[f"nodes/{bad}/processes.txt"] = b"PID STAT COMMAND\n"
    bundle = str(laid_out(tmp_path / "bundle", files))
    assert offered("show", bundle, "--node") == ["node-a", "node-b", "node-c"]


def test_a_large_archive_is_not_opened(tmp_path: Path) -> None:
    large = tmp_path / "large.tgz"
    large.write_bytes(Path(HEALTHY).read_bytes() + bytes(5_000_000))
    assert offered("show", str(large), "--node") == []


def test_fish_offers_it(tmp_path: Path) -> None:
    fish = shutil.which("fish")
    if fish is None:
        pytest.skip("fish is not installed: completion is not tried in it")
    program = tmp_path / "svcbundle"
    program.write_text(f"#!{sys.executable}\nfrom analyzer.cli import main\nmain()\n")
    program.chmod(0o755)
    line = f"svcbundle show {HEALTHY} --node node-"
    script = f"_SVCBUNDLE_COMPLETE=fish_source svcbundle | source; complete -C {shlex.quote(line)}"
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    ran = subprocess.run(
        [fish, "--no-config", "-c", script], env=environment, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert ran.stdout.split() == ["node-a", "node-b", "node-c"]
