"""What kube-proxy's log says, by topic: how often, when first, when last, and whether it is over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from analyzer.language import _
from analyzer.model.log import LogEntry
from analyzer.observe.proxy_topics import API_TROUBLE, SYNC_TROUBLE, Topic, details, topics_of

__all__ = ["Occurrences", "ProxyLog", "SyncHistory", "Topic", "details", "read_proxy_log"]

_OVER_AFTER = timedelta(minutes=10)
"""kube-proxy tries again within its sync period (30 s) and its reflectors within a minute: what it has not
repeated for ten minutes is over."""

_OVER_AT_COLLECTION = timedelta(minutes=30)
"""The same for a log that has ended in silence; longer, as files of a bundle are collected one after the other."""

_ZONE_STEP = timedelta(minutes=30)
_WIDEST_ZONE = timedelta(hours=15)
_SLACK = timedelta(minutes=2)

_SLOW_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Occurrences:
    """All entries on a topic."""

    count: int
    first: LogEntry
    last: LogEntry

    @property
    def note(self) -> str:
        """What the last entry is, for evidence: `the last of 3 such lines`."""
        return (
            _("the only such line")
            if self.count == 1
            else _("the last of {count:,} such lines", count=self.count)
        )


@dataclass(frozen=True, slots=True)
class SyncHistory:
    """How the writes of rules went.

    A line at the end of each write is logged after a failed one as well (capture facts), so a write counts
    as good only where no failure was logged since the one before. 1.30 and later tell the IP family.
    """

    good_after_failure: Mapping[str, int]
    """By IP family (empty where the log does not tell it): good writes after its last failure."""

    good_since_first_failure: int
    slow: int
    """Number of writes that took ten seconds or more."""

    slowest: LogEntry | None
    """The one that took longest, of those whose time was logged."""

    slowest_seconds: float
    finished_since_slow: int
    """Number of writes after the last slow one."""


@dataclass(frozen=True, slots=True)
class ProxyLog:
    """The log by topic."""

    occurrences: Mapping[Topic, Occurrences]
    last_entry: LogEntry | None
    syncs: SyncHistory
    collected_at: datetime | None = None

    @property
    def read(self) -> bool:
        """True when the log has any entry."""
        return self.last_entry is not None

    def last(self, topic: Topic) -> LogEntry | None:
        """Return the last entry on a topic, or None."""
        found = self.occurrences.get(topic)
        return found.last if found else None

    def current(self, topic: Topic) -> Occurrences | None:
        """Return the entries on a topic unless the log shows that it is over.

        Trouble with the API is over once a list came later, trouble with a sync once several syncs went well
        later, and both when they were not repeated for long. A wrong node name is over when the node was
        found, a start that failed when something worked later.
        """
        found = self.occurrences.get(topic)
        return None if found is None or self._over(topic, found.last) else found

    @staticmethod
    def about_api(entry: LogEntry) -> bool:
        """Tell whether an entry is about requests to the API server, or about the node's name in it."""
        return bool({*API_TROUBLE, Topic.NODE_UNKNOWN} & set(topics_of(entry)))

    def _over(self, topic: Topic, entry: LogEntry) -> bool:
        if topic in API_TROUBLE:
            return self._came_after(entry, Topic.API_ANSWERED) or self._aged(entry)
        if topic in SYNC_TROUBLE:
            return self._writes_again(entry) or self._aged(entry)
        if topic is Topic.NODE_UNKNOWN:
            return self._came_after(entry, Topic.NODE_FOUND)
        if topic is Topic.START_FAILED:
            return self._came_after(
                entry, Topic.PROXIER, Topic.API_ANSWERED, Topic.SYNC_COMPLETE, Topic.NODE_FOUND
            )
        return topic is Topic.HEALTH_SERVER_FAILED and self._aged(entry)

    def _came_after(self, entry: LogEntry, *topics: Topic) -> bool:
        later = (self.last(topic) for topic in topics)
        return any(e is not None and e.source > entry.source for e in later)

    def _writes_again(self, entry: LogEntry) -> bool:
        """Tell whether enough writes went well; without a word on the IP family, each of two takes part."""
        family = entry.values.get("ipFamily", "")
        return self.syncs.good_after_failure.get(family, 0) >= (2 if family else 4)

    def _aged(self, entry: LogEntry) -> bool:
        """Tell whether the log, or its collection, went on for long after an entry."""
        if entry.time is None:
            return False
        end = self.last_entry.time if self.last_entry else None
        comparable = end is not None and (end.tzinfo is None) is (entry.time.tzinfo is None)
        if end is not None and comparable and end - entry.time > _OVER_AFTER:
            return True
        return self.collected_at is not None and _old(entry.time, self.collected_at)


def _old(time: datetime, now: datetime) -> bool:
    """Tell whether a time is half an hour ago, in whatever zone a time without one may be."""
    if time.tzinfo is not None and now.tzinfo is not None:
        return now - time > _OVER_AT_COLLECTION
    now = now.astimezone(UTC) if now.tzinfo else now
    age = now.replace(tzinfo=None) - time.replace(tzinfo=None)
    off_zone = _OVER_AFTER < age % _ZONE_STEP < _ZONE_STEP - _SLACK
    return age > _WIDEST_ZONE or (age > _OVER_AT_COLLECTION and off_zone)


def read_proxy_log(entries: Iterable[LogEntry], collected_at: datetime | None = None) -> ProxyLog:
    """Sort the entries of kube-proxy.log by topic; `collected_at` is when the bundle was made."""
    found: dict[Topic, Occurrences] = {}
    last: LogEntry | None = None
    writes = _Writes()
    for entry in entries:
        last = entry
        topics = topics_of(entry)
        for topic in topics:
            known = found.get(topic)
            found[topic] = (
                Occurrences(known.count + 1, known.first, entry)
                if known
                else Occurrences(1, entry, entry)
            )
        if any(topic in SYNC_TROUBLE for topic in topics):
            writes.failed(entry)
        elif Topic.SYNC_COMPLETE in topics:
            writes.finished(entry)
    return ProxyLog(found, last, writes.history, collected_at)


class _Writes:
    """Counts the writes of rules as the log is read."""

    def __init__(self) -> None:
        self._pending: set[str] = set()
        self._good: dict[str, int] = {}
        self._good_since_first = 0
        self._slow = 0
        self._slowest: LogEntry | None = None
        self._slowest_seconds = 0.0
        self._since_slow = 0

    @property
    def history(self) -> SyncHistory:
        """What was counted so far."""
        return SyncHistory(
            good_after_failure=self._good,
            good_since_first_failure=self._good_since_first,
            slow=self._slow,
            slowest=self._slowest,
            slowest_seconds=self._slowest_seconds,
            finished_since_slow=self._since_slow,
        )

    def failed(self, entry: LogEntry) -> None:
        """Take in the failure of a write that is not finished yet."""
        family = entry.values.get("ipFamily", "")
        self._pending.add(family)
        self._good[family] = 0

    def finished(self, entry: LogEntry) -> None:
        """Take in the end of a write, good or not."""
        family = entry.values.get("ipFamily", "")
        failed = self._pending & {family, ""}
        self._pending -= failed
        if not failed:
            self._good_since_first += bool(self._good)
            for known in self._good.keys() & {family, ""}:
                self._good[known] += 1
        seconds = _seconds(entry.text)
        if seconds > self._slowest_seconds:
            self._slowest, self._slowest_seconds = entry, seconds
        slow = seconds >= _SLOW_SECONDS
        self._slow += slow
        self._since_slow = 0 if slow else self._since_slow + 1


_DURATION = re.compile(r"(?:elapsed=|took )\"?(?P<text>(?:[\d.]+(?:h|ms|m|µs|us|ns|s))+)")
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|µs|us|ns|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def _seconds(text: str) -> float:
    """Return the Go duration in `elapsed="1m2.5s"` or `took 21.4s`; 0 where there is none."""
    found = _DURATION.search(text)
    if found is None:
        return 0.0
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(found["text"]))
