"""Log entries that come as an object in JSON or as a logfmt line (component-base, zap, logrus, go-kit)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from analyzer.model.log import Level
from analyzer.parse.klog_body import read_fields
from analyzer.parse.log_clock import LogClock

_LEVELS = {
    **dict.fromkeys(("trace", "debug", "dbug", "info", "notice"), Level.INFO),
    **dict.fromkeys(("warn", "warning"), Level.WARNING),
    **dict.fromkeys(("error", "err", "eror"), Level.ERROR),
    **dict.fromkeys(("fatal", "panic", "dpanic", "critical", "crit"), Level.FATAL),
}
_LEVEL_KEYS = ("level", "lvl", "severity")
_TIME_KEYS = ("time", "ts", "t", "timestamp")
_MESSAGE_KEYS = ("msg", "message")
_SAID = frozenset((*_LEVEL_KEYS, *_TIME_KEYS, *_MESSAGE_KEYS, "caller", "v"))
_MILLISECONDS = 1e11
"""A time stamp above this is in milliseconds: in seconds it would be the year 5138."""


@dataclass(frozen=True, slots=True)
class Record:
    """An entry but for its place in the file."""

    level: Level
    message: str
    values: dict[str, str]
    origin: str
    time: datetime | None


def read_level(word: str) -> Level:
    """Return the level that a word such as `warn` or `[ERROR]` stands for."""
    return _LEVELS.get(word.strip("[] ").lower(), Level.UNKNOWN)


def read_logfmt(line: str, clock: LogClock) -> Record:
    """Return the entry of `time="…" level=error msg="…" key=value`."""
    fields, _ = read_fields(f" {line}")
    return read_object(fields, clock, unnamed=line)


def read_object(fields: Mapping[str, Any], clock: LogClock, unnamed: str) -> Record:
    """Return the entry of a JSON object, `unnamed` being its message where it has none by a known name.

    component-base (`--logging-format=json`) names no level: only info lines have `v` (k8s 1.19 and later).
    """
    word = _first(fields, _LEVEL_KEYS)
    message = _first(fields, _MESSAGE_KEYS)
    if word is not None:
        level = read_level(str(word))
    elif "msg" in fields:
        level = Level.INFO if "v" in fields else Level.ERROR
    else:
        level = Level.UNKNOWN
    return Record(
        level,
        unnamed if message is None else str(message),
        {str(k): _text(v) for k, v in fields.items() if k not in _SAID},
        str(fields.get("caller", "")),
        _time(_first(fields, _TIME_KEYS), clock),
    )


def _first(fields: Mapping[str, Any], keys: tuple[str, ...]) -> object:
    return next((fields[key] for key in keys if key in fields), None)


def _time(stamp: object, clock: LogClock) -> datetime | None:
    if isinstance(stamp, str):
        return clock.carried(stamp)
    if not isinstance(stamp, int | float):
        return None
    try:
        return datetime.fromtimestamp(stamp / 1e3 if stamp > _MILLISECONDS else stamp, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
