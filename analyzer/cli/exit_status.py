"""How a process of svcbundle ends."""

OK = 0
FINDINGS = 1
"""Findings, differences, or something damaged or not delivered."""

USAGE = 2
UNREADABLE = 3
DEFECT = 4
"""Of svcbundle itself."""

INTERRUPTED = 130
