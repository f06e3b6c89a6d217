"""What kube-proxy reports in its log, and in which words.

Wordings: kube-facts C.2, from `cmd/kube-proxy/app`, `pkg/proxy` and `pkg/util/iptables` of Kubernetes 1.2 to 1.36;
the errors of requests from client-go and Go's `net` and `crypto/tls`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from analyzer.model.log import Level, LogEntry


@dataclass(frozen=True, slots=True)
class Wording:
    """How entries on a topic are told from others."""

    words: tuple[str, ...]
    """One of these occurs in each of them: a search for plain text is quick, and most entries are about nothing."""

    patterns: tuple[re.Pattern[str], ...]
    """All of these are found in each of them. None looks further than a name for its end: a hostile line may
    repeat any beginning a thousand times."""

    unless: str = ""
    """Text with which it is none of them."""

    def fits(self, text: str) -> bool:
        """Tell whether a text in which one of the words occurs is about the topic."""
        for pattern in self.patterns:
            if pattern.search(text) is None:
                return False
        return not (self.unless and self.unless in text)


def _wording(words: str, *patterns: str, unless: str = "") -> Wording:
    """Return the wording of words separated by `|` and of regular expressions."""
    compiled = tuple(re.compile(p) for p in patterns)
    return Wording(tuple(words.split("|")), compiled, unless)


_ASKED = (
    r"\b(?:Get|Post|Put|Patch) \\?\"?https?://|[Ff]ailed to (?:list|watch)\b"
    r"|watch-list failed|[Ff]ailed to retrieve node info"
)
"""A request to the API server: in userspace mode the proxy dials pods as well, and logs it in similar words."""

_ASKED_WORDS = "ailed to|watch-list|http"
_NO_ANSWER = (
    r"connection refused|i/o timeout|no route to host|network is (?:unreachable|down)|host is down"
    r"|no such host|server misbehaving|Temporary failure in name resolution|connection timed out"
    r"|context deadline exceeded|Client\.Timeout exceeded|TLS handshake timeout"
    r"|connection reset by peer|broken pipe|\bEOF\b|client connection lost"
    r"|operation not permitted|cannot assign requested address|HTTP response to HTTPS client"
    r"|unable to handle the request|has prevented the request from succeeding|Bad Gateway"
    r"|Service Unavailable|etcdserver: "
)


class Topic(Enum):
    """Something that kube-proxy reports; the value says by which words."""

    API_UNREACHABLE = _wording(_ASKED_WORDS, _NO_ANSWER, _ASKED)
    API_UNAUTHORIZED = _wording(
        "Unauthorized|provide credentials",
        r"\bUnauthorized\b|asked for the client to provide credentials",
        _ASKED,
    )
    API_FORBIDDEN = _wording(
        "is forbidden: |does not allow access",
        r"\b(?P<resource>services|endpoints|endpointslices(?:\.discovery\.k8s\.io)?|nodes)"
        r"(?: \\?\"[^\"\s]*\")? is forbidden: (?i:user) \\?\"(?P<user>[^\"\\]*)"
        r"|does not allow access to the requested resource",
        unless="erver rejected event",
    )
    """Only what kube-proxy cannot do without: events that it may not write are lost, and nothing else is."""

    API_CERTIFICATE = _wording("x509: |tls: ", r"x509: |\btls: ", _ASKED)
    API_VERSION_GONE = _wording(
        "could not find the requested resource",
        r"[Ff]ailed to (?:list|watch) \*?(?P<kind>(?:\w+\.)?(?:Service|Endpoints|EndpointSlice))\b",
    )
    WAITING_FOR_API = _wording(
        "Not syncing ", r"Not syncing (?:iptables|ipvs rules|nftables|ip6tables) until"
    )
    API_ANSWERED = _wording(
        "aches |service port|Setting endpoints",
        r"[Cc]aches (?:are synced|populated)|Adding new service port|Setting endpoints for"
        r"|Updating existing service port",
    )
    NODE_UNKNOWN = _wording(
        " not found|match the current node|unable to get node IP",
        r"\bnodes? \\?\"(?P<name>[^\"\\\s]+)\\?\" not found"
        r"|that doesn't match the current node \\?\"?(?P<current>[^\s\"\\]+)"
        r"|unable to get node IP for hostname (?P<host>\S+)",
    )
    NODE_FOUND = _wording("Successfully retrieved", r"Successfully retrieved (?:node IP|NodeIP)")
    NODE_ADDRESS_ASSUMED = _wording(
        "determine this node's IP|invalid nodeIP",
        r"[Cc]an't determine this node's IP, assuming"
        r"|invalid nodeIP, initializing kube-proxy with 127\.0\.0\.1",
    )
    RESTORE_FAILED = _wording("Failed to execute iptables-restore|Failed to sync iptables rules")
    CHAIN_FAILED = _wording(
        "Failed to ensure ", r"Failed to ensure (?:(?:that )?(?:\S+ )?chain\b|iptables: )"
    )
    IPVS_STATE_FAILED = _wording(
        "Failed to make sure|Failed to create dummy|Failed to sync ipvs",
        r"Failed to (?:make sure (?:existence of )?ip ?set|create dummy interface|sync ipvs)",
    )
    NFT_SYNC_FAILED = _wording("nftables sync failed")
    SYNC_FAILED = _wording("Sync failed", r"^Sync failed")
    START_FAILED = _wording(
        "Error running ProxyServer|command failed|panic: |fatal error: |Error: |unknown flag: "
        "|use the IPVS proxier|primary IP family|nable to create ",
        r"^(?:Error running ProxyServer|command failed|panic: |fatal error: |Error: |unknown flag: )"
        r"|\bcan't use the IPVS proxier|not supported for primary IP family"
        r"|no support for primary IP family|[Uu]nable to create (?:\S+ )?proxier",
    )
    """Ends the process; so does every entry of level F."""

    LOCK = _wording(
        "xtables lock|iptables lock|lock file",
        r"holding the xtables lock|failed to (?:acquire|open) (?:(?:new|old) )?iptables lock"
        r"|can't open lock file",
    )
    SYNC_COMPLETE = _wording("SyncProxyRules complete|syncProxyRules took")
    PROXIER = _wording("Using ", r"^Using (?:iptables|ipvs|userspace|nftables) [Pp]roxier")
    FALLBACK = _wording("Can't use ", r"Can't use (?:the )?(?:ipvs|IPVS) proxier")
    """1.8 to 1.25; from 1.26 on, in lower case, it ends the process."""

    CONNTRACK_MISSING = _wording(
        "conntrack",
        r"looking for path of conntrack|exec: \\?\"conntrack\\?\": executable file not found",
    )
    HEALTH_CHECK_FAILED = _wording(
        "ailed to start healthcheck",
        r"ailed to start healthcheck(?: \\?\"(?P<service>[^\"\\]+)\\?\" on port (?P<port>\d+))?",
    )
    HEALTH_SERVER_FAILED = _wording("ealthz ", r"[Hh]ealthz (?:server failed|closed)")


API_TROUBLE = (
    Topic.API_UNREACHABLE,
    Topic.API_UNAUTHORIZED,
    Topic.API_FORBIDDEN,
    Topic.API_CERTIFICATE,
    Topic.API_VERSION_GONE,
)
SYNC_TROUBLE = (
    Topic.RESTORE_FAILED,
    Topic.CHAIN_FAILED,
    Topic.IPVS_STATE_FAILED,
    Topic.NFT_SYNC_FAILED,
    Topic.LOCK,
)

_LONGEST = 8192
"""Characters of an entry that are searched: what tells its topic stands at its beginning."""

_WORDS = tuple(dict.fromkeys(word for topic in Topic for word in topic.value.words))
_TOPICS_OF_WORD = {word: [t for t in Topic if word in t.value.words] for word in _WORDS}


def topics_of(entry: LogEntry) -> tuple[Topic, ...]:
    """Return what an entry is about; empty for most."""
    text = entry.text[:_LONGEST]
    fatal = (Topic.START_FAILED,) if entry.level is Level.FATAL else ()
    words = [word for word in _WORDS if word in text]
    if not words:
        return fatal
    candidates = dict.fromkeys(topic for word in words for topic in _TOPICS_OF_WORD[word])
    found = tuple(topic for topic in candidates if topic.value.fits(text))
    return found if Topic.START_FAILED in found else (*found, *fatal)


def details(topic: Topic, entry: LogEntry) -> dict[str, str]:
    """Return the named groups of the topic's patterns that are filled in an entry on it."""
    text = entry.text[:_LONGEST]
    matches = (pattern.search(text) for pattern in topic.value.patterns)
    groups = (pair for m in matches if m for pair in m.groupdict().items())
    return {name: value for name, value in groups if value is not None}
