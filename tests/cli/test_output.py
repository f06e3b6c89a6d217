from __future__ import annotations

import shutil

import pytest

from analyzer.cli.output import width


@pytest.mark.parametrize("columns", [None, "", "0", "-3", "abc", "5", "50", "150"])
def test_the_width_is_what_shutil_says_but_not_below_40(
    columns: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert width() == max(40, shutil.get_terminal_size((100, 24)).columns)
