"""Fixtures that several test modules share."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of captures and real-world inputs beside the checkout; tests of it are skipped without."""
    folder = ROOT.parent / "shared"
    if not (folder / "captures").is_dir():
        pytest.skip("no ../shared beside the checkout: captures and real-world inputs are not tested")
    return folder


@pytest.fixture(scope="session")
def samples() -> Path:
    """The samples that ship with the project."""
    return ROOT / "samples"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--update-golden`."""
    parser.addoption(
        "--update-golden", action="store_true", help="accept what comes out as what is expected"
    )
