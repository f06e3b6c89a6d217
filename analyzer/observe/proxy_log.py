"""What kube-proxy's log says, by topic: how often, when first, when last, and whether it is over.

Wordings: kube-facts C.2, from `cmd/kube-proxy/app`, `pkg/proxy` and `pkg/util/iptables` of 1.2 to 1.36.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from analyzer.model.log import LogEntry


class Topic(Enum):
    """Something that kube-proxy reports; the value is a regular expression over message and values."""

    API_UNREACHABLE = (
        r"(?:dial (?:tcp|udp)|Get \"?https?:|lookup |Post \"?https?:)(?!.*\blisten (?:tcp|udp))"
        r".*(?:connection refused|i/o timeout|no route to host|network is unreachable|no such host"
        r"|context deadline exceeded|TLS handshake timeout|connection reset by peer|: EOF)"
    )
    API_UNAUTHORIZED = r"(?:[Ff]ailed to (?:list|watch|get|retrieve)|watch-list).*\bUnauthorized\b"
    API_FORBIDDEN = r"is forbidden: User"
    API_CERTIFICATE = (
        r"x509: |tls: (?:bad certificate|failed to verify|expired certificate|unknown certificate)"
    )
    API_VERSION_GONE = (
        r"[Ff]ailed to (?:list|watch) \*?(?P<kind>[\w.]+)"
        r".*the server could not find the requested resource"
    )
    WAITING_FOR_API = r"Not syncing (?:iptables|ipvs rules|nftables|ip6tables) until"
    API_ANSWERED = (
        r"[Cc]aches (?:are synced|populated)|Adding new service port|Setting endpoints for"
        r"|Updating existing service port"
    )
    NODE_UNKNOWN = (
        r"nodes? \\?\"(?P<name>[^\"\\]+)\\?\" not found"
        r"|doesn't match the current node|unable to get node IP for hostname (?P<host>\S+)"
    )
    NODE_ADDRESS_ASSUMED = (
        r"[Cc]an't determine this node's IP, assuming"
        r"|invalid nodeIP, initializing kube-proxy with 127\.0\.0\.1"
    )
    RESTORE_FAILED = r"Failed to execute iptables-restore(?!.*no retries)"
    CHAIN_FAILED = r"Failed to ensure (?:that \S+ )?chain"
    NFT_SYNC_FAILED = r"nftables sync failed"
    SYNC_FAILED = r"Sync failed"
    PROXIER_FATAL = (
        r"can't use the IPVS proxier|iptables is not supported for primary IP family"
        r"|no support for primary IP family|unable to create (?:\S+ )?proxier"
        r"|error initializing (?:iptables|nftables|ipvs)"
    )
    LOCK = (
        r"holding the xtables lock|failed to acquire (?:new|old) iptables lock|can't open lock file"
        r"|Resource temporarily unavailable.*xtables"
    )
    SYNC_COMPLETE = r"SyncProxyRules complete|syncProxyRules took"
    RELOADING = r"Reloading service iptables data"
    FLUSHED = r"IPTables canary deleted|iptables canary \S+ deleted|Reloading after iptables flush"
    PROXIER = r"Using (?P<mode>iptables|ipvs|userspace|nftables) [Pp]roxier"
    FALLBACK = r"[Cc]an't use (?:the )?(?:ipvs|IPVS) proxier"
    CONNTRACK_MISSING = (
        r"looking for path of conntrack|exec: \\?\"conntrack\\?\": executable file not found"
    )
    HEALTH_CHECK_FAILED = r"[Ff]ailed to start healthcheck"
    HEALTH_SERVER_FAILED = (
        r"[Hh]ealthz (?:server failed|closed)|Unexpected healthz closed|failed to listen.*healthz"
    )
    BRIDGE_NF_MISSING = r"[Mm]issing br-netfilter module or unset"
    NO_CLUSTER_CIDR = r"clusterCIDR not specified|no cluster CIDR (?:defined|specified)"
    FAMILY_UNSUPPORTED = r"No iptables support for family"


_API_TROUBLE = (
    Topic.API_UNREACHABLE,
    Topic.API_UNAUTHORIZED,
    Topic.API_FORBIDDEN,
    Topic.API_CERTIFICATE,
    Topic.API_VERSION_GONE,
    Topic.NODE_UNKNOWN,
)
_SYNC_TROUBLE = (Topic.RESTORE_FAILED, Topic.CHAIN_FAILED, Topic.NFT_SYNC_FAILED, Topic.LOCK)
_OVER_AFTER = timedelta(minutes=10)
"""kube-proxy retries within its sync period (30 s) and its reflectors within a minute: what it has not
repeated for ten minutes is over."""

_SYNCS_THAT_PROVE_RECOVERY = 4
"""`SyncProxyRules complete` follows a failed sync as well, once per IP family (capture facts)."""

_LONGEST = 8192
"""Characters of an entry that are searched: what tells its topic stands at its beginning."""

_PATTERNS = {topic: re.compile(topic.value, re.DOTALL) for topic in Topic}
_ANY = re.compile("|".join(re.sub(r"\?P<\w+>", "?:", t.value) for t in Topic), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Occurrences:
    """All entries on a topic."""

    count: int
    first: LogEntry
    last: LogEntry


@dataclass(frozen=True, slots=True)
class ProxyLog:
    """The log by topic."""

    occurrences: Mapping[Topic, Occurrences]
    last_entry: LogEntry | None
    slowest_sync: LogEntry | None
    """The entry with the longest sync time, where any was logged."""

    slowest_sync_seconds: float
    syncs_after_trouble: int
    """Number of finished syncs after the last failure of one."""

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

        Trouble with the API is over once a list came later; trouble with a sync once several syncs
        went well later; any trouble ten minutes before the end of the log.
        """
        found = self.occurrences.get(topic)
        if found is None or self._aged(found.last) or self._recovered(topic, found.last):
            return None
        return found

    def _aged(self, entry: LogEntry) -> bool:
        end = self.last_entry
        if end is None or end.time is None or entry.time is None:
            return False
        return end.time - entry.time > _OVER_AFTER

    def _recovered(self, topic: Topic, entry: LogEntry) -> bool:
        if topic in _API_TROUBLE:
            answer = self.last(Topic.API_ANSWERED)
            return answer is not None and answer.source > entry.source
        if topic in _SYNC_TROUBLE:
            return self.syncs_after_trouble >= _SYNCS_THAT_PROVE_RECOVERY
        return False


def read_proxy_log(entries: Iterable[LogEntry]) -> ProxyLog:
    """Sort the entries of kube-proxy.log by topic."""
    found: dict[Topic, Occurrences] = {}
    last: LogEntry | None = None
    slowest: LogEntry | None = None
    slowest_seconds = 0.0
    syncs = 0
    for entry in entries:
        last = entry
        text = entry.text[:_LONGEST]
        if _ANY.search(text) is None:
            continue
        for topic, pattern in _PATTERNS.items():
            if pattern.search(text) is None:
                continue
            known = found.get(topic)
            found[topic] = (
                Occurrences(known.count + 1, known.first, entry)
                if known
                else Occurrences(1, entry, entry)
            )
            if topic in _SYNC_TROUBLE:
                syncs = 0
            elif topic is Topic.SYNC_COMPLETE:
                syncs += 1
                seconds = _seconds(text)
                if seconds > slowest_seconds:
                    slowest, slowest_seconds = entry, seconds
    return ProxyLog(found, last, slowest, slowest_seconds, syncs)


_DURATION = re.compile(r"(?:elapsed=|took )\"?(?P<text>(?:[\d.]+(?:h|ms|m|µs|us|ns|s))+)")
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|µs|us|ns|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def _seconds(text: str) -> float:
    """Return the Go duration in `elapsed="1m2.5s"` or `took 21.4s`; 0 where there is none."""
    found = _DURATION.search(text)
    if found is None:
        return 0.0
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(found["text"]))
