"""What one trace has looked at: nothing else can have decided it."""

from __future__ import annotations

from analyzer.simulate.table import ExecutableChain


class Sight:
    """The chains and hosts of a trace so far."""

    def __init__(self) -> None:
        self.chains: set[ExecutableChain] = set()
        self.hosts: set[str] = set()

    def renew(self) -> None:
        """Begin another trace."""
        self.chains = set()
        self.hosts = set()
