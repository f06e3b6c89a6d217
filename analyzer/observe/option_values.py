"""Values of options as YAML, JSON or a command line gives them; nonsense counts as not given."""

from __future__ import annotations

import re

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION_PART = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(h|ms|m|us|µs|ns|s)", re.ASCII)
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+", re.ASCII)
_LONGEST_NUMBER = 9


def text_of(value: object) -> str:
    """Return a text; empty for anything else."""
    return value.strip() if isinstance(value, str) else ""


def texts_of(value: object) -> tuple[str, ...]:
    """Return the texts in a list, in `a,b` or in `[a,b]`."""
    listed = value if isinstance(value, list) else text_of(value).strip("[]").split(",")
    return tuple(t for t in map(text_of, listed) if t)


def boolean_of(value: object) -> bool | None:
    """Return a boolean or what `true` and `false` say; None for anything else."""
    if isinstance(value, bool):
        return value
    return {"true": True, "1": True, "false": False, "0": False}.get(text_of(value).lower())


def number_in(value: object, lowest: int, highest: int) -> int | None:
    """Return a whole number within bounds; None for anything else."""
    if (
        isinstance(value, str)
        and len(value) <= _LONGEST_NUMBER
        and value.isascii()
        and value.isdigit()
    ):
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and isinstance(value, int) and lowest <= value <= highest else None


def seconds_of(value: object) -> float:
    """Return the seconds of a Go duration such as `1m30s`; 0 for anything else."""
    text = text_of(value)
    if _DURATION.fullmatch(text) is None:
        return 0.0
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text))


def switches_of(value: object) -> tuple[tuple[str, bool], ...]:
    """Return feature gates, sorted by name, from a mapping or from `A=true,B=false`."""
    if isinstance(value, dict):
        pairs = [(text_of(name), boolean_of(on)) for name, on in value.items()]
    else:
        split = (word.partition("=") for word in texts_of(value))
        pairs = [(name.strip(), boolean_of(on)) for name, _, on in split]
    return tuple(sorted((name, on) for name, on in pairs if name and on is not None))
