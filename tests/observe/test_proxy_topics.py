from __future__ import annotations

import time

import pytest

from analyzer.observe.proxy_topics import Topic, details, topics_of
from analyzer.parse.klog import parse_log

HEAD = "1123 02:51:17.977148   22231"
_LISTING = "k8s.io/client-go/informers/factory.go:134: Failed to list"

WORDINGS = [
    (
        "1.2 refused",
        (
            f"E{HEAD} reflector.go:180] pkg/proxy/config/api.go:30: Failed to list *api.Service: Get "
            "http://10.0.0.1:8080/api/v1/services: dial tcp 10.0.0.1:8080: connection refused"
        ),
        {Topic.API_UNREACHABLE},
    ),
    (
        "1.14 timed out",
        (
            f"E{HEAD} reflector.go:126] {_LISTING} *v1.Endpoints: Get https://10.0.0.1:6443/api/v1/endpoints: "
            "dial tcp 10.0.0.1:6443: i/o timeout"
        ),
        {Topic.API_UNREACHABLE},
    ),
    (
        "1.30 node not asked",
        (
            f'E{HEAD} server.go:1051] "Failed to retrieve node info" err="Get \\"https://10.0.0.1:6444/api/v1/nodes/n1\\"'
            ': dial tcp 10.0.0.1:6444: connect: connection refused"'
        ),
        {Topic.API_UNREACHABLE},
    ),
    (
        "1.36 at level I",
        (
            f'I{HEAD} reflector.go:816] "watch-list failed - backing off" type="*v1.Node" '
            'err="Get \\"https://10.0.0.1:6444/api/v1/nodes\\": dial tcp 10.0.0.1:6444: connect: no route to host"'
        ),
        {Topic.API_UNREACHABLE},
    ),
    (
        "unknown host",
        (
            f'E{HEAD} reflector.go:138] {_LISTING} *v1.Service: Get "https://api.example:6443/api/v1/services": '
            "dial tcp: lookup api.example on 10.0.0.2:53: no such host"
        ),
        {Topic.API_UNREACHABLE},
    ),
    (
        "userspace mode cannot reach a pod",
        f"E{HEAD} proxysocket.go:99] Dial failed: dial tcp 10.244.1.5:8080: connection refused",
        set(),
    ),
    (
        "401",
        f"E{HEAD} reflector.go:126] {_LISTING} *v1.Service: Unauthorized",
        {Topic.API_UNAUTHORIZED},
    ),
    (
        "401 in full",
        (
            f"E{HEAD} reflector.go:126] {_LISTING} *v1.Service: "
            "the server has asked for the client to provide credentials (get services)"
        ),
        {Topic.API_UNAUTHORIZED},
    ),
    (
        "403",
        (
            f'E{HEAD} reflector.go:126] {_LISTING} *v1.Service: services is forbidden: User "system:kube-proxy" '
            'cannot list resource "services" in API group "" at the cluster scope'
        ),
        {Topic.API_FORBIDDEN},
    ),
    (
        "1.36 403",
        (
            f'E{HEAD} reflector.go:204] "Failed to watch" err="failed to list *v1.Node: nodes \\"n1\\" is forbidden: '
            'User \\"system:anonymous\\" cannot list resource \\"nodes\\""'
        ),
        {Topic.API_FORBIDDEN},
    ),
    (
        "events may not be written",
        (
            f"E{HEAD} event.go:359] Server rejected event '&v1.Event{{}}': 'nodes \"n1\" is forbidden: "
            'User "system:kube-proxy" cannot create resource "events"\' (will not retry!)'
        ),
        set(),
    ),
    (
        "ServiceCIDRs are not needed",
        (
            f'E{HEAD} reflector.go:204] "Failed to watch" err="failed to list *v1.ServiceCIDR: '
            'the server could not find the requested resource"'
        ),
        set(),
    ),
    (
        "x509",
        (
            f'E{HEAD} reflector.go:126] {_LISTING} *v1.Service: Get "https://10.0.0.1:6443/api/v1/services": x509: '
            "certificate has expired or is not yet valid: current time 2026-11-23T02:51:17Z"
        ),
        {Topic.API_CERTIFICATE},
    ),
    (
        "1.21 asks for v1beta1",
        (
            f"E{HEAD} reflector.go:138] k8s.io/client-go/informers/factory.go:134: Failed to watch "
            "*v1beta1.EndpointSlice: failed to list *v1beta1.EndpointSlice: "
            "the server could not find the requested resource"
        ),
        {Topic.API_VERSION_GONE},
    ),
    (
        "a watch that ran out",
        f"W{HEAD} reflector.go:289] watch of *v1.Endpoints ended with: too old resource version: 1 (2)",
        set(),
    ),
    (
        "1.14 node",
        f'W{HEAD} server_others.go:295] Failed to retrieve node info: nodes "n9" not found',
        {Topic.NODE_UNKNOWN},
    ),
    (
        "1.16 node",
        f"F{HEAD} server.go:449] unable to get node IP for hostname n9",
        {Topic.NODE_UNKNOWN, Topic.START_FAILED},
    ),
    (
        "another node's event",
        f"E{HEAD} node.go:80] Received a watch event for a node n1 that doesn't match the current node n9",
        {Topic.NODE_UNKNOWN},
    ),
    (
        "1.17 address",
        f"I{HEAD} server_others.go:150] can't determine this node's IP, assuming 127.0.0.1",
        {Topic.NODE_ADDRESS_ASSUMED},
    ),
    (
        "1.30 address",
        f"I{HEAD} server.go:1064] \"Can't determine this node's IP, assuming loopback\"",
        {Topic.NODE_ADDRESS_ASSUMED},
    ),
    (
        "1.2 restore",
        f"E{HEAD} proxier.go:1100] Failed to sync iptables rules: exit status 1",
        {Topic.RESTORE_FAILED},
    ),
    (
        "1.14 restore, with its rules",
        (
            f"E{HEAD} proxier.go:1402] Failed to execute iptables-restore: exit status 2 (iptables-restore v1.8.9: "
            "Couldn't load target `KUBE-MARK-DROP':No such file or directory\n)\nRules:\n*nat\nCOMMIT"
        ),
        {Topic.RESTORE_FAILED},
    ),
    (
        "1.28 restore",
        f'E{HEAD} proxier.go:1564] "Failed to execute iptables-restore" err=<\n\texit status 1\n > rules="*nat"',
        {Topic.RESTORE_FAILED},
    ),
    (
        "1.20 chain under a held lock",
        (
            f"E{HEAD} proxier.go:858] Failed to ensure that filter chain KUBE-EXTERNAL-SERVICES exists: exit status 4: "
            "Another app is currently holding the xtables lock. Stopped waiting after 5s."
        ),
        {Topic.CHAIN_FAILED, Topic.LOCK},
    ),
    (
        "1.28 chain",
        f'E{HEAD} proxier.go:844] "Failed to ensure chain jumps" err="exit status 3" table="nat"',
        {Topic.CHAIN_FAILED},
    ),
    (
        "lock file",
        (
            f'E{HEAD} proxier.go:1] "Failed to execute iptables-restore" '
            'err="failed to open iptables lock /run/xtables.lock: is a directory"'
        ),
        {Topic.RESTORE_FAILED, Topic.LOCK},
    ),
    (
        "nftables",
        f'E{HEAD} proxier.go:1803] "nftables sync failed" err="/dev/stdin:892:87-100: Error: no"',
        {Topic.NFT_SYNC_FAILED},
    ),
    (
        "1.36 first start in nftables mode",
        (
            f'E{HEAD} proxier.go:1169] "Failed to list existing nftables objects" err=<\n'
            '\tError: No such file or directory\n\tlist chains ip kube-proxy\n > ipFamily="IPv4"'
        ),
        set(),
    ),
    (
        "ipvs set",
        f'E{HEAD} ipset.go:164] "Failed to make sure existence of ip set" ipSet="KUBE-CLUSTER-IP"',
        {Topic.IPVS_STATE_FAILED},
    ),
    (
        "1.14 falls back",
        f"W{HEAD} server_others.go:259] Can't use ipvs proxier, trying iptables proxier",
        {Topic.FALLBACK},
    ),
    (
        "1.23 falls back",
        f'E{HEAD} server_others.go:301] "Can\'t use the IPVS proxier" err="missing modules"',
        {Topic.FALLBACK},
    ),
    (
        "1.30 does not",
        f'E{HEAD} run.go:74] "command failed" err="can\'t use the IPVS proxier: no ipset"',
        {Topic.START_FAILED},
    ),
    (
        "1.27 has no iptables",
        (
            f'E{HEAD} server.go:494] "Error running ProxyServer" '
            'err="iptables is not supported for primary IP family \\"IPv4\\""'
        ),
        {Topic.START_FAILED},
    ),
    (
        "any fatal line",
        f"F{HEAD} server.go:1] unable to read a file",
        {Topic.START_FAILED},
    ),
    (
        "conntrack",
        (
            f'E{HEAD} cleanup.go:70] "Failed to delete stale service connections" err="error looking for path of '
            'conntrack: exec: \\"conntrack\\": executable file not found in $PATH"'
        ),
        {Topic.CONNTRACK_MISSING},
    ),
    (
        "1.7 health check",
        f'E{HEAD} healthcheck.go:172] node n1 failed to start healthcheck "shop/web" on port 30100: bind',
        {Topic.HEALTH_CHECK_FAILED},
    ),
    (
        "1.20 health server",
        f"E{HEAD} server.go:430] healthz server failed: listen tcp 0.0.0.0:10256: bind: address already in use",
        {Topic.HEALTH_SERVER_FAILED},
    ),
    (
        "1.23 and its own sockets",
        (
            f'E{HEAD} proxier.go:1] "can\'t open port, skipping it" '
            'err="listen tcp4 :31080: bind: address already in use"'
        ),
        set(),
    ),
    (
        "1.36 at every start",
        (
            f'E{HEAD} server.go:265] "Kube-proxy configuration may be incomplete or incorrect" '
            'err="nodePortAddresses is unset; NodePort connections will be accepted on all local IPs."'
        ),
        set(),
    ),
    (
        "1.35 on ipvs",
        f'E{HEAD} server.go:1] "The ipvs proxier is now deprecated and may be removed in a future release"',
        set(),
    ),
    (
        "1.14 sync",
        f"I{HEAD} proxier.go:672] syncProxyRules took 27.1ms",
        {Topic.SYNC_COMPLETE},
    ),
    (
        "waiting",
        f'I{HEAD} proxier.go:1068] "Not syncing nftables until Services and Endpoints have been received"',
        {Topic.WAITING_FOR_API},
    ),
    (
        "1.36 list",
        f'I{HEAD} reflector.go:507] "Caches populated" type="*v1.Service"',
        {Topic.API_ANSWERED},
    ),
]


@pytest.mark.parametrize(
    ("text", "expected"), [w[1:] for w in WORDINGS], ids=[w[0] for w in WORDINGS]
)
def test_a_wording_belongs_to_its_topic_and_noise_to_none(text: str, expected: set[Topic]) -> None:
    (entry,) = parse_log("kube-proxy.log", text, None).value
    assert set(topics_of(entry)) == expected


@pytest.mark.parametrize(
    "carrier", ["2026-11-23T02:51:17.9Z stderr F ", "Nov 23 02:51:17 n1 kube-proxy[12]: "]
)
@pytest.mark.parametrize(
    ("text", "expected"), [w[1:] for w in WORDINGS], ids=[w[0] for w in WORDINGS]
)
def test_a_carrier_does_not_change_the_topic(text: str, expected: set[Topic], carrier: str) -> None:
    wrapped = "\n".join(carrier + line for line in text.split("\n"))
    (entry, *_) = parse_log("kube-proxy.log", wrapped, None).value
    assert set(topics_of(entry)) == expected


def test_a_refusal_tells_what_was_asked_for_and_as_whom() -> None:
    text = (
        f"E{HEAD} reflector.go:126] {_LISTING} *v1.EndpointSlice: endpointslices.discovery.k8s.io is "
        'forbidden: User "system:serviceaccount:kube-system:kube-proxy" cannot list resource'
    )
    (entry,) = parse_log("kube-proxy.log", text, None).value
    assert details(Topic.API_FORBIDDEN, entry) == {
        "resource": "endpointslices.discovery.k8s.io",
        "user": "system:serviceaccount:kube-system:kube-proxy",
    }


def test_a_long_entry_is_searched_at_its_beginning_only() -> None:
    text = f"E{HEAD} proxier.go:1] " + "x" * 9000 + " nftables sync failed"
    (entry,) = parse_log("kube-proxy.log", text, None).value
    assert topics_of(entry) == ()


@pytest.mark.parametrize("beginning", ["Failed to list ", 'Get "https://', "nodes is forbidden: "])
def test_a_beginning_that_is_repeated_costs_no_more_than_its_length(beginning: str) -> None:
    (entry,) = parse_log("kube-proxy.log", f"E{HEAD} a.go:1] " + beginning * 600, None).value
    started = time.monotonic()
    for _ in range(20):
        topics_of(entry)
    assert time.monotonic() - started < 2
