"""Fixtures that several test modules share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of captures and real-world inputs beside the checkout; tests of it are skipped without."""
    folder = ROOT.parent / "shared"
    if not (folder / "captures").is_dir():
        pytest.skip(
            "no ../shared beside the checkout: captures and real-world inputs are not tested"
        )
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


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)`: the text is what `golden/<name>` beside the test module holds."""

    def compare(name: str, text: str) -> None:
        file = request.path.parent / "golden" / name
        if request.config.getoption("--update-golden"):
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(text.encode())
        assert file.exists(), f"{file} is missing: run pytest --update-golden"
        assert text == file.read_bytes().decode()

    return compare
