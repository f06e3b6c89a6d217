"""One laboratory for all tests of a process; skipped with one line where the machine does not allow it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernel.lab import KernelLab
from tests.kernel.namespaces import why_impossible


@pytest.fixture(scope="session")
def lab() -> Iterator[KernelLab]:
    reason = why_impossible()
    if reason:
        pytest.skip(reason)
    built = KernelLab()
    try:
        yield built
    finally:
        built.close()
