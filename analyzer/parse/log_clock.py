"""The times of log lines: ISO stamps as they are, klog and syslog clocks completed by a year."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_AHEAD = timedelta(days=1)
"""How far a line may lie after the time of collection: clocks and time zones differ."""

_OLDEST = 8
"""Years to look back for a day that exists: between 1896 and 1904 there was no 29 February."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d| UTC\b)?")
_SYSLOG = re.compile(r"([A-Z][a-z]{2}) ([ \d]\d) (\d\d:\d\d:\d\d(?:\.\d+)?)")
_UNIX = re.compile(r"(\d{10}\.\d{6}) ")


class LogClock:
    """Turns the stamps of one log file into times.

    A klog clock and a syslog stamp have no year: it is the latest one in which the line is not later than
    the log's collection, so that December lines of a log collected in January belong to the year before.
    Without a time of collection there is no year and no time.
    """

    def __init__(self, collected_at: datetime | None) -> None:
        self._latest = collected_at.replace(tzinfo=None) + _AHEAD if collected_at else None
        self._days: dict[str, str] = {}
        self._last_carrier = ""
        self._last_carried: datetime | None = None

    def klog(self, clock: str, carried: datetime | None) -> datetime | None:
        """Return the time of `1123 02:51:17.929098`.

        The carrier's time wins if it knows its zone; else it lends its year. The time is naive then: klog
        prints the local time of its process.
        """
        if carried is not None:
            return (
                carried
                if carried.tzinfo
                else _time(f"{_year(clock, carried)}-{_day(clock)}{clock[4:]}")
            )
        day = self._days.get(clock[:4])
        if day is None:
            day = self._days[clock[:4]] = self._with_year(_day(clock), clock[5:])
        return _time(day + clock[4:]) if day else None

    def carried(self, carrier: str) -> datetime | None:
        """Return the time of the stamp in a carrier's prefix; None where it has none."""
        if carrier != self._last_carrier:
            self._last_carrier, self._last_carried = carrier, self._carried(carrier)
        return self._last_carried

    def _carried(self, carrier: str) -> datetime | None:
        if iso := _ISO.search(carrier):
            return _iso_time(iso[0])
        if syslog := _SYSLOG.search(carrier):
            day = f"{_MONTHS.index(syslog[1]) + 1:02}-{syslog[2].replace(' ', '0')}"
            complete = self._with_year(day, syslog[3])
            return _time(f"{complete} {syslog[3]}") if complete else None
        if unix := _UNIX.search(carrier):
            return datetime.fromtimestamp(float(unix[1]), UTC)
        return None

    def _with_year(self, day: str, clock: str) -> str:
        """Return `2026-11-23` for `11-23`; empty where the year cannot be told or the day never was."""
        if self._latest is None:
            return ""
        for year in range(self._latest.year, self._latest.year - _OLDEST, -1):
            time = _time(f"{year}-{day} {clock}")
            if time is not None and time <= self._latest:
                return f"{year}-{day}"
        return ""


def _year(clock: str, carried: datetime) -> int:
    """Return the year of a klog clock from a carrier's, which may be in another zone across New Year."""
    match (clock[:2], carried.month):
        case ("01", 12):
            return carried.year + 1
        case ("12", 1):
            return carried.year - 1
    return carried.year


def _day(clock: str) -> str:
    return f"{clock[:2]}-{clock[2:4]}"


def _iso_time(text: str) -> datetime | None:
    return _time(text.replace(",", ".").replace(" UTC", "+00:00"))


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
