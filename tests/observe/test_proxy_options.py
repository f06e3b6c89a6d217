from __future__ import annotations

from typing import Any

import pytest

from analyzer.model.kube_proxy import DetectLocal, ProxyOptions
from analyzer.observe.kube_proxy import identify_kube_proxy
from tests.observe.evidence import (
    CONFIG_FILE,
    CONFIG_MAP,
    CONFIGZ,
    document,
    evidence,
    log,
    pod,
    process,
)
from tests.observe.rulesets import tables


def _options(**given: Any) -> ProxyOptions:
    return identify_kube_proxy(evidence(**given)).options


FILE = document(
    CONFIG_FILE,
    """
    mode: iptables
    clusterCIDR: 10.244.0.0/16,fd00:10:244::/56
    detectLocalMode: ""
    hostnameOverride: ""
    nodePortAddresses: null
    featureGates: {ProxyTerminatingEndpoints: true, AllAlpha: false}
    iptables: {masqueradeAll: true, masqueradeBit: null, localhostNodePorts: false, syncPeriod: 1m30s}
    nftables: {masqueradeAll: false, syncPeriod: 0s}
    ipvs: {strictARP: true, syncPeriod: 10s}
    logging: {verbosity: 0}
    """,
)
READ = {
    "masquerade_all": True,
    "masquerade_bit": 14,
    "cluster_cidrs": ("10.244.0.0/16", "fd00:10:244::/56"),
    "detect_local": DetectLocal.CLUSTER_CIDR,
    "node_port_addresses": (),
    "localhost_node_ports": False,
    "sync_period_seconds": 90.0,
    "strict_arp": True,
    "feature_gates": (("AllAlpha", False), ("ProxyTerminatingEndpoints", True)),
    "verbosity": None,
    "source": FILE.ref,
}


def test_a_configuration_file_is_read_with_its_defaults() -> None:
    found = _options(config_file=FILE)

    assert {name: getattr(found, name) for name in READ} == READ


def test_the_section_of_the_mode_counts() -> None:
    nftables = _options(config_file=FILE, mode_file="nftables")
    ipvs = _options(config_file=FILE, mode_file="ipvs")

    assert (nftables.masquerade_all, nftables.sync_period_seconds) == (False, 30.0)
    assert (ipvs.masquerade_all, ipvs.sync_period_seconds) == (True, 10.0)


def test_the_running_configuration_beats_all_others() -> None:
    text = """
    kubeproxy.config.k8s.io:
      ClusterCIDR: 10.1.0.0/16
      IPTables: {MasqueradeBit: 17, LocalhostNodePorts: true}
      NodePortAddresses: [primary]
      Logging: {verbosity: 4}
    """
    found = _options(configz=document(CONFIGZ, text), config_file=FILE)

    assert (found.cluster_cidrs, found.masquerade_bit) == (("10.1.0.0/16",), 17)
    assert (found.node_port_addresses, found.verbosity) == (("primary",), 4)


def test_the_internal_form_of_the_configuration_is_read() -> None:
    text = """
    kubeproxy.config.k8s.io:
      DetectLocal: {ClusterCIDRs: [10.1.0.0/16, "fd00::/56"]}
      Linux: {MasqueradeAll: true}
      SyncPeriod: 1h
    """
    found = _options(configz=document(CONFIGZ, text))

    assert found.cluster_cidrs == ("10.1.0.0/16", "fd00::/56")
    assert (found.masquerade_all, found.sync_period_seconds) == (True, 3600.0)


FLAGS = ("--masquerade-all", "--cluster-cidr=10.9.0.0/16", "--iptables-sync-period=15s", "--v=4")


def test_without_a_file_the_command_line_decides() -> None:
    found = _options(processes=(process(*FLAGS),), config_file=FILE)

    assert (found.masquerade_all, found.cluster_cidrs) == (True, ("10.9.0.0/16",))
    assert (found.sync_period_seconds, found.verbosity) == (15.0, 4)
    assert found.source == process().source


def test_with_a_file_only_name_and_verbosity_are_taken_from_the_command_line() -> None:
    flags = process("--config=/x", "--hostname-override=n1", *FLAGS)

    found = _options(processes=(flags,), config_file=FILE)

    assert (found.hostname_override, found.verbosity) == ("n1", 4)
    assert {name: getattr(found, name) for name in READ if name != "verbosity"} == {
        k: v for k, v in READ.items() if k != "verbosity"
    }


def test_a_name_that_kubelet_fills_in_is_taken_from_the_log() -> None:
    container = pod(
        "kube-proxy:v1.30.5", "kube-proxy", "--config=/x", "--hostname-override=$(NODE_NAME)"
    )

    found = _options(pods=(container,), log=log('FLAG: --hostname-override="node-a"'))

    assert found.hostname_override == "node-a"


def test_the_config_map_is_read_where_nothing_else_is() -> None:
    found = _options(config_map=document(CONFIG_MAP, "clusterCIDR: 10.7.0.0/16"))

    assert (found.cluster_cidrs, found.source is None) == (("10.7.0.0/16",), False)


def test_options_that_were_not_read_are_the_defaults() -> None:
    assert _options() == ProxyOptions()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clusterCIDR: 10.0.0.0/8", DetectLocal.CLUSTER_CIDR),
        ("clusterCIDR: ''", DetectLocal.NONE),
        ("detectLocalMode: NodeCIDR", DetectLocal.NODE_CIDR),
        ("detectLocalMode: bridgeinterface", DetectLocal.BRIDGE_INTERFACE),
        ("detectLocalMode: InterfaceNamePrefix", DetectLocal.INTERFACE_NAME_PREFIX),
    ],
)
def test_pods_are_told_from_others_as_configured(text: str, expected: DetectLocal) -> None:
    assert _options(config_file=document(CONFIG_FILE, text)).detect_local is expected


@pytest.mark.parametrize(
    "text",
    [
        "iptables: [1, 2]",
        "iptables: {masqueradeBit: 99, syncPeriod: [], masqueradeAll: perhaps}",
        "{clusterCIDR: {a: b}, nodePortAddresses: 7, featureGates: x, logging: 3}",
        "iptables: {syncPeriod: 10y, masqueradeBit: true}",
    ],
)
def test_nonsense_counts_as_not_given(text: str) -> None:
    found = _options(config_file=document(CONFIG_FILE, text))

    assert found == ProxyOptions(source=found.source, detect_local=DetectLocal.NONE)


SEPS = "\n".join(f"-A KUBE-SEP-{n} -j ACCEPT" for n in range(1001))


@pytest.mark.parametrize(
    ("given", "large"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"rulesets": (tables(nat=SEPS),)}, True, id="1001 endpoint chains"),
        pytest.param({"rulesets": (tables(nat=SEPS.partition("\n")[2]),)}, False, id="1000"),
        pytest.param(
            {"log": log(("Reloading service iptables data", {"numEndpoints": "1001"}))},
            True,
            id="log",
        ),
        pytest.param(
            {"log": log(("Reloading service iptables data", {"numEndpoints": "1000"}))},
            False,
            id="few",
        ),
    ],
)
def test_a_cluster_is_large_above_a_thousand_endpoints(given: dict[str, Any], large: bool) -> None:
    assert identify_kube_proxy(evidence(**given)).large_cluster is large
