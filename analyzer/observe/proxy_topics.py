"""What kube-proxy reports in its log, and in which words.

Wordings: kube-facts C.2, from `cmd/kube-proxy/app`, `pkg/proxy` and `pkg/util/iptables` of Kubernetes 1.2 to 1.36;
the errors of requests from client-go and Go's `net` and `crypto/tls`.
"""

from __future__ import annotations

import re
from enum import Enum

from analyzer.model.log import Level, LogEntry

_ASKED = (
    r"(?:\b(?:Get|Post|Put|Patch) \\?\"?https?://|[Ff]ailed to (?:list|watch)\b"
    r"|watch-list failed|[Ff]ailed to retrieve node info)"
)
"""A request to the API server: in userspace mode the proxy dials pods as well, and logs it in similar words."""

_NO_ANSWER = (
    r"(?:connection refused|i/o timeout|no route to host|network is (?:unreachable|down)|host is down"
    r"|no such host|server misbehaving|Temporary failure in name resolution|connection timed out"
    r"|context deadline exceeded|Client\.Timeout exceeded|TLS handshake timeout"
    r"|connection reset by peer|broken pipe|\bEOF\b|client connection lost"
    r"|operation not permitted|cannot assign requested address|HTTP response to HTTPS client"
    r"|unable to handle the request|has prevented the request from succeeding|Bad Gateway"
    r"|Service Unavailable|etcdserver: )"
)


class Topic(Enum):
    """Something that kube-proxy reports; the value is a regular expression over message and values."""

    API_UNREACHABLE = rf"{_ASKED}.*{_NO_ANSWER}"
    API_UNAUTHORIZED = (
        rf"{_ASKED}.*(?:\bUnauthorized\b|asked for the client to provide credentials)"
    )
    API_FORBIDDEN = (
        r"^(?!.*(?:rejected|write) event)(?:.*?"
        r"\b(?P<resource>services|endpoints|endpointslices(?:\.discovery\.k8s\.io)?|nodes)"
        r"(?: \\?\"[^\"]*\")? is forbidden: (?i:user) \\?\"(?P<user>[^\"\\]*)"
        r"|.*does not allow access to the requested resource)"
    )
    """Only what kube-proxy cannot do without: events that it may not write are lost, and nothing else is."""

    API_CERTIFICATE = rf"{_ASKED}.*(?:x509: |\btls: )"
    API_VERSION_GONE = (
        r"[Ff]ailed to (?:list|watch) \*?(?P<kind>(?:\w+\.)*(?:Service|Endpoints|EndpointSlice))\b"
        r".*the server could not find the requested resource"
    )
    WAITING_FOR_API = r"Not syncing (?:iptables|ipvs rules|nftables|ip6tables) until"
    API_ANSWERED = (
        r"[Cc]aches (?:are synced|populated)|Adding new service port|Setting endpoints for"
        r"|Updating existing service port"
    )
    NODE_UNKNOWN = (
        r"\bnodes? \\?\"(?P<name>[^\"\\]+)\\?\" not found"
        r"|that doesn't match the current node \\?\"?(?P<current>[^\s\"\\]+)"
        r"|unable to get node IP for hostname (?P<host>\S+)"
    )
    NODE_FOUND = r"Successfully retrieved (?:node IP|NodeIP)"
    NODE_ADDRESS_ASSUMED = (
        r"[Cc]an't determine this node's IP, assuming"
        r"|invalid nodeIP, initializing kube-proxy with 127\.0\.0\.1"
    )
    RESTORE_FAILED = r"Failed to (?:execute iptables-restore|sync iptables rules)"
    CHAIN_FAILED = r"Failed to ensure (?:(?:that )?(?:\S+ )?chain\b|iptables: )"
    IPVS_STATE_FAILED = (
        r"Failed to (?:make sure (?:existence of )?ip ?set|create dummy interface|sync ipvs)"
    )
    NFT_SYNC_FAILED = r"nftables sync failed"
    SYNC_FAILED = r"^Sync failed"
    START_FAILED = (
        r"^(?:Error running ProxyServer|command failed|panic: |fatal error: |Error: |unknown flag: )"
        r"|\bcan't use the IPVS proxier|not supported for primary IP family"
        r"|no support for primary IP family|[Uu]nable to create (?:\S+ )?proxier"
    )
    """Ends the process; so does every entry of level F."""

    LOCK = (
        r"holding the xtables lock|failed to (?:acquire|open) (?:(?:new|old) )?iptables lock"
        r"|can't open lock file"
    )
    SYNC_COMPLETE = r"SyncProxyRules complete|syncProxyRules took"
    PROXIER = r"^Using (?P<mode>iptables|ipvs|userspace|nftables) [Pp]roxier"
    FALLBACK = r"Can't use (?:the )?(?:ipvs|IPVS) proxier"
    """1.8 to 1.25; from 1.26 on, in lower case, it ends the process."""

    CONNTRACK_MISSING = (
        r"looking for path of conntrack|exec: \\?\"conntrack\\?\": executable file not found"
    )
    HEALTH_CHECK_FAILED = (
        r"[Ff]ailed to start healthcheck(?: \\?\"(?P<service>[^\"\\]+)\\?\" on port (?P<port>\d+))?"
    )
    HEALTH_SERVER_FAILED = r"[Hh]ealthz (?:server failed|closed)"


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

_PATTERNS = {topic: re.compile(topic.value, re.DOTALL) for topic in Topic}
_ANY = re.compile(
    "|".join(f"(?:{re.sub(r'[?]P<[a-z]+>', '?:', t.value)})" for t in Topic), re.DOTALL
)


def topics_of(entry: LogEntry) -> tuple[Topic, ...]:
    """Return what an entry is about; empty for most."""
    text = entry.text[:_LONGEST]
    fatal = entry.level is Level.FATAL
    if _ANY.search(text) is None:
        return (Topic.START_FAILED,) if fatal else ()
    found = tuple(topic for topic, pattern in _PATTERNS.items() if pattern.search(text))
    return (*found, Topic.START_FAILED) if fatal and Topic.START_FAILED not in found else found


def details(topic: Topic, entry: LogEntry) -> dict[str, str]:
    """Return the named groups of the topic's pattern that are filled in an entry on it."""
    found = _PATTERNS[topic].search(entry.text[:_LONGEST])
    return {k: v for k, v in found.groupdict().items() if v is not None} if found else {}
