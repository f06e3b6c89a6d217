from __future__ import annotations

from typing import Any

import pytest

from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.node import Document
from analyzer.model.source import ObjectRef
from analyzer.observe.kube_proxy import identify_kube_proxy
from tests.observe.evidence import (
    CONFIG_FILE,
    CONFIG_MAP,
    CONFIGZ,
    config_map,
    document,
    evidence,
    log,
    node,
    pod,
    process,
)
from tests.observe.rulesets import dump, tables

IPVS_RULES = tables(
    nat="""
    -A PREROUTING -j KUBE-SERVICES
    -A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
    -A KUBE-LOAD-BALANCER -j ACCEPT
    """
)
NFT = Document(
    {
        "nftables": [
            {"metainfo": {}},
            {"table": {"name": "kube-proxy"}},
            {"chain": {"table": "kube-proxy"}},
        ]
    },
    ObjectRef("nft-ruleset.json", -1),
)
OTHER_NFT = Document({"nftables": [{"chain": {"table": "nat"}}]}, ObjectRef("nft-ruleset.json", -1))
UNHOOKED = tables(nat="-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-A")
CILIUM = config_map("cilium-config", kube_proxy_replacement="true")


def _configz(mode: str) -> Document:
    return document(CONFIGZ, f'{{"kubeproxy.config.k8s.io": {{"Mode": "{mode}"}}}}')


def _file(mode: str, path: str = CONFIG_FILE) -> Document:
    return document(path, f'mode: "{mode}"')


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        pytest.param({}, ProxyMode.UNKNOWN, id="nothing"),
        pytest.param({"mode_file": "ipvs\n"}, ProxyMode.IPVS, id="its answer"),
        pytest.param(
            {"mode_file": "curl: (7) Failed to connect", "config_file": _file("ipvs")},
            ProxyMode.IPVS,
            id="no answer",
        ),
        pytest.param(
            {"mode_file": "", "config_file": _file("ipvs")}, ProxyMode.IPVS, id="empty answer"
        ),
        pytest.param(
            {"mode_file": "iptables", "log": log("Using ipvs Proxier.")},
            ProxyMode.IPTABLES,
            id="the answer is newer than the log",
        ),
        pytest.param(
            {"log": log("Using userspace Proxier.")}, ProxyMode.USERSPACE, id="log of 1.2"
        ),
        pytest.param({"log": log("Using nftables Proxier")}, ProxyMode.NFTABLES, id="log of 1.29"),
        pytest.param({"log": log("Using iptables proxy")}, ProxyMode.IPTABLES, id="default mode"),
        pytest.param(
            {"log": log("Using ipvs Proxier", "Using iptables Proxier", "Starting")},
            ProxyMode.IPTABLES,
            id="the last start counts",
        ),
        pytest.param(
            {
                "log": log(
                    "Can't use ipvs proxier, trying iptables proxier", "Using iptables Proxier."
                ),
                "configz": _configz("ipvs"),
                "config_file": _file("ipvs"),
            },
            ProxyMode.IPTABLES,
            id="fell back from ipvs",
        ),
        pytest.param(
            {"log": log("Syncing ipvs proxier rules"), "config_file": _file("iptables")},
            ProxyMode.IPVS,
            id="a log without its beginning",
        ),
        pytest.param(
            {"log": log("nothing of the kind"), "configz": _configz("nftables")},
            ProxyMode.NFTABLES,
            id="a log that says nothing proves nothing",
        ),
        pytest.param({"configz": _configz("")}, ProxyMode.IPTABLES, id="configz: default"),
        pytest.param(
            {"configz": document(CONFIGZ, "404 page not found"), "config_file": _file("ipvs")},
            ProxyMode.IPVS,
            id="configz: nonsense",
        ),
        pytest.param(
            {"configz": _configz("ipvs"), "config_file": _file("iptables")},
            ProxyMode.IPVS,
            id="the running configuration beats the file",
        ),
        pytest.param(
            {"processes": (process("--proxy-mode=ipvs"),), "config_file": _file("iptables")},
            ProxyMode.IPVS,
            id="without --config the command line decides",
        ),
        pytest.param(
            {
                "processes": (process("--config=/x", "--proxy-mode=ipvs"),),
                "config_file": _file("nftables"),
            },
            ProxyMode.NFTABLES,
            id="with --config the file decides",
        ),
        pytest.param(
            {"log": log('FLAG: --config=""', 'FLAG: --proxy-mode="ipvs"')},
            ProxyMode.IPVS,
            id="options in the log",
        ),
        pytest.param(
            {"log": log("Running kube-proxy --cluster-cidr=10.42.0.0/16 --proxy-mode=ipvs")},
            ProxyMode.IPVS,
            id="k3s",
        ),
        pytest.param(
            {
                "log": log(
                    "Running kube-proxy --cluster-cidr=10.42.0.0/16 --proxy-mode=iptables",
                    "Running kube-proxy --cluster-cidr=10.42.0.0/16 --proxy-mode=ipvs",
                )
            },
            ProxyMode.IPVS,
            id="k3s, started again",
        ),
        pytest.param({"processes": (process(),)}, ProxyMode.IPTABLES, id="told nothing: default"),
        pytest.param(
            {"processes": (process(host="kubelite"),), "rulesets": (IPVS_RULES,)},
            ProxyMode.IPVS,
            id="rules in force beat a default",
        ),
        pytest.param({"config_file": _file("")}, ProxyMode.IPTABLES, id="file: default"),
        pytest.param({"rulesets": (dump("1.25"),)}, ProxyMode.IPTABLES, id="rules: iptables"),
        pytest.param(
            {"rulesets": (dump("userspace"),)}, ProxyMode.USERSPACE, id="rules: userspace"
        ),
        pytest.param({"rulesets": (IPVS_RULES,)}, ProxyMode.IPVS, id="rules: ipvs"),
        pytest.param({"nft_ruleset": NFT}, ProxyMode.NFTABLES, id="rules: nftables"),
        pytest.param({"nft_ruleset": OTHER_NFT}, ProxyMode.UNKNOWN, id="other tables of nftables"),
        pytest.param(
            {"rulesets": (dump("1.25"),), "nft_ruleset": NFT},
            ProxyMode.UNKNOWN,
            id="two modes' rules in force",
        ),
        pytest.param(
            {"rulesets": (UNHOOKED,), "config_map": _file("ipvs", CONFIG_MAP)},
            ProxyMode.IPVS,
            id="rules that nothing leads to say less than the ConfigMap",
        ),
        pytest.param(
            {"rulesets": (UNHOOKED,)}, ProxyMode.IPTABLES, id="rules that nothing leads to"
        ),
        pytest.param(
            {"rulesets": (dump("1.25"),), "config_map": _file("ipvs", CONFIG_MAP)},
            ProxyMode.IPTABLES,
            id="rules in force beat the ConfigMap",
        ),
        pytest.param(
            {"config_map": _file("", CONFIG_MAP)}, ProxyMode.IPTABLES, id="ConfigMap: default"
        ),
        pytest.param(
            {"config_map": document(CONFIG_MAP, "[1]")}, ProxyMode.UNKNOWN, id="no mapping"
        ),
        pytest.param(
            {"config_file": _file("bogus")}, ProxyMode.UNKNOWN, id="a mode that nobody knows"
        ),
        pytest.param({"node": node(system="windows")}, ProxyMode.WINDOWS, id="Windows"),
    ],
)
def test_the_mode_is_what_the_strongest_source_says(given: dict[str, Any], mode: ProxyMode) -> None:
    found = identify_kube_proxy(evidence(**given))

    assert found.mode is mode
    assert (found.mode_source is None) == (mode is ProxyMode.UNKNOWN)


REPLACING = [
    pytest.param({"other_config_maps": (CILIUM,)}, id="Cilium"),
    pytest.param(
        {"other_config_maps": (config_map("cilium-config", kube_proxy_replacement="strict"),)},
        id="Cilium before 1.14",
    ),
    pytest.param(
        {"pods": (pod("quay.io/cilium/cilium:v1", "--kube-proxy-replacement=true"),)}, id="flag"
    ),
    pytest.param({"pods": (pod("docker.io/cloudnativelabs/kube-router:v2"),)}, id="kube-router"),
    pytest.param({"pods": (pod("ovn:1", name="ovnkube-node-x2x4l"),)}, id="OVN-Kubernetes"),
    pytest.param(
        {
            "other_config_maps": (
                config_map("antrea-config-h5k7", agent="antreaProxy:\n  proxyAll: true\n"),
            )
        },
        id="Antrea",
    ),
    pytest.param(
        {"other_config_maps": (config_map("kubernetes-services-endpoint"),)}, id="Calico eBPF"
    ),
]


@pytest.mark.parametrize("given", REPLACING)
def test_kube_proxy_is_replaced_where_another_program_is_in_its_place(
    given: dict[str, Any],
) -> None:
    stale = {"rulesets": (dump("1.25"),), "config_file": _file("iptables")}

    assert identify_kube_proxy(evidence(**given, **stale)).mode is ProxyMode.REPLACED


@pytest.mark.parametrize(
    "alive",
    [
        {"mode_file": "iptables"},
        {"processes": (process(),)},
        {"configz": _configz("iptables")},
        {"log": log("Using iptables Proxier")},
        {"pods": (pod("registry.k8s.io/kube-proxy:v1.30.5"),)},
    ],
    ids=["answers", "process", "configz", "log", "pod"],
)
def test_a_kube_proxy_that_runs_is_not_replaced(alive: dict[str, Any]) -> None:
    given = {"other_config_maps": (CILIUM,), "rulesets": (dump("1.25"),), **alive}

    assert identify_kube_proxy(evidence(**given)).mode is ProxyMode.IPTABLES


@pytest.mark.parametrize(
    "given",
    [
        {"other_config_maps": (config_map("cilium-config", kube_proxy_replacement="false"),)},
        {"other_config_maps": (config_map("cilium-config", kube_proxy_replacement="partial"),)},
        {"other_config_maps": (config_map("antrea-config", agent="  # proxyAll: true\n"),)},
        {"pods": (pod("kube-router:v2", "--run-service-proxy=false"),)},
    ],
    ids=["Cilium off", "Cilium partly", "Antrea commented out", "kube-router for policies"],
)
def test_a_program_beside_kube_proxy_does_not_replace_it(given: dict[str, Any]) -> None:
    assert identify_kube_proxy(evidence(**given)).mode is ProxyMode.UNKNOWN
