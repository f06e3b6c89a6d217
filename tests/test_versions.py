"""kube-proxy 1.14 to 1.29, other addresses and detection modes: silent on what is right, one cause for what is not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from analyzer.bundle.reader import open_bundle
from analyzer.findings import Finding, Report
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.severity import Severity
from analyzer.model.station import Station, Status
from analyzer.model.verdict import Verdict
from analyzer.pipeline import Question, analyse
from tests.bundles import laid_out
from tests.cluster_faults import (
    FORBIDDEN,
    IPV4,
    IPV6,
    NODE,
    REFUSED,
    Fault,
    added,
    all_of,
    api_hiccup,
    api_lost,
    api_trouble,
    both_backends,
    chains_of_kubelet_missing,
    conntrack_missing,
    empty,
    endpoint_moved,
    fell_back,
    forward_drop,
    in_filter,
    iptables_unusable,
    lock_held,
    no_rules,
    node_name_unknown,
    replaced,
    service_deleted,
    slices_gone,
    stale_backend_saved,
    stopped,
    without,
)
from tests.cluster_nodes import composed, with_manifest
from tests.clusters import Cluster, Plan

BY_DESIGN = {
    ("local-policy-no-endpoint", "store/checkout"),
    ("local-policy-no-endpoint", "store/nearby"),
}
"""A node without pods rightly drops what a Local policy keeps there, and a user should know."""

HEALTHY = {
    "1.14, an API server of its time": Plan("1.14.10", modern_api=False),
    "1.14, legacy, no clusterCIDR": Plan("1.14.10", backend="legacy", detect=""),
    "1.14, one node, masqueradeAll": Plan("1.14.10", ("solo",), (), masquerade_all=True),
    "1.16, nodePortAddresses": Plan("1.16.15", node_port_addresses=("10.10.0.0/24",)),
    "1.16, an API server of its time": Plan("1.16.15", modern_api=False),
    "1.18": Plan("1.18.6"),
    "1.18, two nodes, no clusterCIDR, bit 10": Plan(
        "1.18.6", ("cp-1", "worker-1"), detect="", masquerade_bit=10
    ),
    "1.18, NodeCIDR, legacy": Plan("1.18.6", detect="NodeCIDR", backend="legacy"),
    "1.20": Plan("1.20.15"),
    "1.20, masqueradeAll": Plan("1.20.15", masquerade_all=True),
    "1.21": Plan("1.21.1"),
    "1.21, both families, NodeCIDR": Plan("1.21.1", families=(4, 6), detect="NodeCIDR"),
    "1.23, both families": Plan("1.23.4", families=(4, 6)),
    "1.23, IPv6 only": Plan("1.23.4", families=(6,)),
    "1.23, IPv6 first, no clusterCIDR, bit 5": Plan(
        "1.23.4", families=(6, 4), detect="", masquerade_bit=5
    ),
    "1.23, BridgeInterface": Plan("1.23.4", detect="BridgeInterface"),
    "1.26, InterfaceNamePrefix": Plan("1.26.0", families=(4, 6), detect="InterfaceNamePrefix"),
    "1.26, legacy, masqueradeAll": Plan("1.26.0", detect="", masquerade_all=True, backend="legacy"),
    "1.27, other ranges": Plan("1.27.4", pod_range="10.244.0.0/16", service_range="10.96.0.0/12"),
    "1.27, localhostNodePorts off": Plan("1.27.4", localhost_node_ports=False),
    "1.28": Plan("1.28.3"),
    "1.28, legacy": Plan("1.28.3", families=(4, 6), backend="legacy"),
    "1.28, nodePortAddresses": Plan(
        "1.28.3",
        families=(4, 6),
        detect="BridgeInterface",
        node_port_addresses=("10.10.0.0/24", "fd00:10:10::/64"),
    ),
    "1.28, IPv6 only, NodeCIDR": Plan("1.28.3", families=(6,), detect="NodeCIDR"),
    "1.28, one node, bit 16": Plan("1.28.3", ("solo",), (), masquerade_bit=16),
    "1.29": Plan("1.29.2"),
    "1.29, pods on all of two nodes, no clusterCIDR": Plan("1.29.2", ("n1", "n2"), (), detect=""),
    "1.29, IPv6 first": Plan("1.29.2", families=(6, 4)),
}

ALL = ("1.14.10", "1.18.6", "1.20.15", "1.23.4", "1.28.3")
SOME = ("1.14.10", "1.28.3")
OLD = ("1.14.10", "1.18.6", "1.23.4")
LINKS = f"nodes/{NODE}/ip-link.json"
SYSCTL = f"nodes/{NODE}/sysctl.txt"
ROUTES = f"nodes/{NODE}/ip-route.json"
BACKENDS = r"-d <ip>/32 .*--dport 80 "
VIP = "-d 10.43.0.101/32"
REJECT = (
    f'{VIP} -p tcp -m comment --comment "store/front:http has no endpoints" -m tcp --dport 80'
    " -j REJECT --reject-with icmp-port-unreachable"
)
RAW = f"*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n[0:0] -A PREROUTING {VIP} -j DROP\nCOMMIT\n"


@dataclass(frozen=True)
class Case:
    """A fault, the versions to try it on, and the only root findings that may come of it."""

    fault: Fault
    versions: tuple[str, ...]
    expected: str
    """Slugs of which one must be the root, with blanks between; empty where nothing is wrong."""

    plan: Plan = HEALTHY["1.28"]


BOTH = Plan(families=(4, 6))
FAULTS = {
    "no jump from PREROUTING": Case(
        without("-A PREROUTING .*KUBE-SERVICES"), ALL, "rules-hook-missing"
    ),
    "no jump from OUTPUT": Case(
        without(r"\] -A OUTPUT -m comment .*KUBE-SERVICES"), SOME, "rules-hook-missing"
    ),
    "no jump from POSTROUTING": Case(without("-A POSTROUTING "), SOME, "rules-hook-missing"),
    "no jump to node ports": Case(
        without("-j KUBE-NODEPORTS$"), ALL, "rules-service-missing rules-hook-missing"
    ),
    "an endpoint's chain is empty": Case(without("-A <sep> "), ALL, "rules-chain-empty"),
    "an endpoint's chain is gone": Case(without("[:A] ?<sep> "), ALL, "rules-jump-dangling"),
    "another destination": Case(
        replaced(r"(-A <sep> .*--to-destination )\S+", r"\g<1>172.20.1.199:8080"),
        ALL,
        "rules-destination-wrong",
    ),
    "a jump to an endpoint is missing": Case(
        without("-A <svc> .*-j <sep>"), ALL, "rules-endpoint-missing"
    ),
    "another probability": Case(
        replaced(r"(-A <svc> .*probability )0\.333\S+", r"\g<1>0.89999999991"),
        ALL,
        "rules-probability-skewed",
    ),
    "a cluster IP is missing": Case(
        without("-A KUBE-SERVICES " + BACKENDS + "-j <svc>"), ALL, "rules-service-missing"
    ),
    "a load-balancer IP is missing": Case(
        without("-A KUBE-SERVICES .*203.0.113.31"), ALL, "rules-service-missing"
    ),
    "an external IP is missing": Case(
        without("-A KUBE-SERVICES .*198.51.100.40"), ALL, "rules-service-missing"
    ),
    "a node port is missing": Case(
        without("-A KUBE-NODEPORTS .*--dport 30180"), ALL, "rules-service-missing"
    ),
    "a cluster IP is not marked, and no answer is lost by it": Case(
        without(BACKENDS + "-j KUBE-MARK-MASQ"), ALL, ""
    ),
    "nothing is marked": Case(without("-A KUBE-MARK-MASQ "), SOME, "rules-masquerade-missing"),
    "nothing is masqueraded": Case(without("-j MASQUERADE"), SOME, "rules-masquerade-missing"),
    "no local endpoint in KUBE-XLB": Case(
        without("-A <lb_xlb> .*-j KUBE-SEP"), OLD, "rules-endpoint-missing rules-chain-empty"
    ),
    "no jump to KUBE-SVL": Case(
        without("-A <lb_ext> -j KUBE-SVL"), ("1.26.0", "1.29.2"), "rules-endpoint-missing"
    ),
    "no affinity": Case(without("-A <basket> .*--rcheck"), SOME, "rules-affinity-mismatch"),
    "a source range is missing": Case(
        without("-A <lb_fw> -s 10.10.0.0"), ALL, "rules-source-ranges-mismatch"
    ),
    "an endpoint that was": Case(endpoint_moved, ALL, "rules-endpoint-stale"),
    "a Service that was": Case(service_deleted, SOME, "rules-service-stale"),
    "kube-proxy is gone": Case(stopped, SOME, "kube-proxy-not-running"),
    "kube-proxy never ran": Case(all_of(stopped, no_rules), SOME, "kube-proxy-not-running"),
    "the API server refuses": Case(
        api_trouble(REFUSED), (*ALL, "1.16.15"), "kube-proxy-cannot-reach-api"
    ),
    "the API server is lost": Case(api_lost, SOME, "kube-proxy-cannot-reach-api"),
    "one request failed": Case(api_hiccup, SOME, ""),
    "401": Case(api_trouble("Unauthorized"), ALL, "kube-proxy-unauthorized"),
    "403": Case(api_trouble(FORBIDDEN), ALL, "kube-proxy-unauthorized"),
    "x509": Case(
        api_trouble("<get>: x509: certificate signed by unknown authority"),
        SOME,
        "kube-proxy-unauthorized",
    ),
    "v1beta1 is gone": Case(slices_gone, ("1.21.1",), "kube-proxy-cannot-reach-api"),
    "the lock is held": Case(lock_held, ALL, "kube-proxy-lock-contention"),
    "kubelet's chains are missing": Case(chains_of_kubelet_missing, OLD, "kube-proxy-sync-failing"),
    "iptables cannot be used": Case(
        iptables_unusable, ("1.27.4",), "kube-proxy-not-running kube-proxy-sync-failing"
    ),
    "another node name": Case(node_name_unknown, ALL, "kube-proxy-node-name-mismatch"),
    "ipvs was asked for": Case(fell_back, ("1.20.15", "1.23.4"), "kube-proxy-mode-mixed"),
    "no conntrack binary": Case(conntrack_missing, ("1.28.3",), "kube-proxy-conntrack-missing"),
    "rules in both backends": Case(both_backends, SOME, "kube-proxy-backend-split"),
    "rules of another time were saved": Case(stale_backend_saved, SOME, "kube-proxy-backend-split"),
    "FORWARD drops": Case(forward_drop(), ALL, "forward-policy-drop"),
    "FORWARD drops what nobody accepts": Case(
        all_of(
            forward_drop(),
            in_filter("FORWARD", "-s 172.20.0.0/16 -j ACCEPT"),
            in_filter("FORWARD", "-d 172.20.0.0/16 -j ACCEPT"),
        ),
        SOME,
        "",
    ),
    "hairpin is off": Case(
        all_of(
            replaced("mode:1", "mode:0", f"nodes/{NODE}/hairpin.txt", count=0),
            replaced('"hairpin": true', '"hairpin": false', LINKS, count=0),
        ),
        SOME,
        "hairpin-disabled",
    ),
    "br_netfilter is off": Case(
        replaced("call-iptables = 1", "call-iptables = 0", SYSCTL),
        SOME,
        "bridge-netfilter-disabled",
    ),
    "no forwarding": Case(
        replaced("ip_forward = 1", "ip_forward = 0", SYSCTL), SOME, "ip-forward-disabled"
    ),
    "no route": Case(
        replaced(r'\{"dst": "172.20.2.0/24", [^}]*\}, ', "", ROUTES), SOME, "pod-route-missing"
    ),
    "a route to the wrong node": Case(
        replaced(r'("dst": "172.20.2.0/24", "gateway": )"10.10.0.13"', r'\1"10.10.0.11"', ROUTES),
        SOME,
        "pod-route-missing",
    ),
    "a drop in raw": Case(added(IPV4, RAW), SOME, "traffic-blocked"),
    "a drop of a cluster IP in FORWARD": Case(in_filter("FORWARD", f"{VIP} -j DROP"), SOME, ""),
    "a refusal without effect": Case(in_filter("KUBE-SERVICES", REJECT), SOME, ""),
    "a refusal": Case(
        all_of(
            in_filter("KUBE-SERVICES", REJECT), without("-A KUBE-SERVICES " + BACKENDS + "-j <svc>")
        ),
        SOME,
        "rules-reject-leftover",
    ),
    "a jump of an older version": Case(
        in_filter("INPUT", '-m comment --comment "kubernetes service portals" -j KUBE-SERVICES'),
        ("1.26.0",),
        "",
    ),
    "no jump from PREROUTING for IPv6": Case(
        without("-A PREROUTING .*KUBE-SERVICES", IPV6),
        ("1.21.1", "1.28.3"),
        "rules-hook-missing",
        BOTH,
    ),
    "no rule for IPv6": Case(empty(IPV6), ("1.23.4",), "rules-absent", BOTH),
    "FORWARD drops IPv6": Case(forward_drop(IPV6), ("1.28.3",), "forward-policy-drop", BOTH),
    "no route for IPv6": Case(
        replaced(r', \{"dst": "fd00:172:20:2::/64", [^}]*\}', "", ROUTES),
        ("1.28.3",),
        "pod-route-missing",
        BOTH,
    ),
    "a clusterCIDR without the pods": Case(
        lambda *_: None, ALL, "rules-masquerade-missing", Plan(cluster_cidr="10.244.0.0/16")
    ),
    "a clusterCIDR with the nodes": Case(
        lambda *_: None,
        ALL,
        "rules-masquerade-missing",
        Plan(pod_range="10.42.0.0/16", cluster_cidr="10.0.0.0/8"),
    ),
    "nodePortAddresses without the nodes'": Case(
        lambda *_: None,
        SOME,
        "node-port-address-excluded",
        Plan(node_port_addresses=("192.168.50.0/24",)),
    ),
}


@pytest.mark.parametrize("plan", HEALTHY.values(), ids=HEALTHY)
def test_a_healthy_cluster_is_healthy(plan: Plan, tmp_path: Path) -> None:
    report = _analysed(plan, tmp_path)
    assert not [_told(f) for f in _roots(report)]
    for node in report.nodes:
        assert node.kube_proxy.mode is ProxyMode.IPTABLES
        assert node.kube_proxy.version.exact == plan.version
        assert node.backend is not None
        assert node.backend.value == plan.backend
    tolerated = {service for _, service in BY_DESIGN} if plan.empty else set()
    for service in report.services:
        if service.service.full_name not in tolerated:
            assert service.verdict is Verdict.HEALTHY, service.service.full_name
        for result in service.stations:
            open_ = result.status is Status.NOT_EVALUATED
            assert not open_ or result.station is Station.DNS, (service.service.full_name, result)


@pytest.mark.parametrize(
    ("case", "version"),
    [
        pytest.param(case, version, id=f"{name}, {version}")
        for name, case in FAULTS.items()
        for version in case.versions
    ],
)
def test_a_fault_is_one_cause(case: Case, version: str, tmp_path: Path) -> None:
    roots = _roots(_analysed(replace(case.plan, version=version), tmp_path, case.fault))
    slugs = {f.check.slug for f in roots}
    told = [_told(f) for f in roots]
    if not case.expected:
        assert not told
    else:
        assert len(slugs) == 1, told
        assert slugs <= set(case.expected.split()), told


def _analysed(plan: Plan, folder: Path, fault: Fault | None = None) -> Report:
    cluster = Cluster(plan)
    files = composed(cluster)
    if fault is not None:
        fault(cluster, files)
    with open_bundle([laid_out(folder, with_manifest(files))]) as bundle:
        analysis = analyse(bundle, Question(), lambda _: None)
    assert not analysis.defects
    return analysis.report


def _roots(report: Report) -> list[Finding]:
    return [
        f
        for f in report.findings
        if f.caused_by is None
        and f.severity is not Severity.INFO
        and (f.check.slug, str(f.problem.service)) not in BY_DESIGN
    ]


def _told(finding: Finding) -> str:
    return f"{finding.severity.value} {finding.check.slug}: {finding.problem.message}"
