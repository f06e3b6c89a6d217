"""The options of a node's kube-proxy, with the defaults of KubeProxyConfiguration v1alpha1.

A kube-proxy with `--config` takes its options from that file and ignores others on its command line, but for
`--hostname-override` and `--v` (`cmd/kube-proxy/app/options.go`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from analyzer.model.kube_proxy import DetectLocal, ProxyMode, ProxyOptions
from analyzer.model.node import Document
from analyzer.observe.evidence import CONFIGZ, Flags, ProxyEvidence
from analyzer.observe.option_values import (
    boolean_of,
    number_in,
    seconds_of,
    switches_of,
    text_of,
    texts_of,
)

_DEFAULTS = ProxyOptions()
_DETECTORS = {d.value.lower(): d for d in DetectLocal if d is not DetectLocal.NONE}
_BITS = 31
_HIGHEST_VERBOSITY = 100


def options_of(evidence: ProxyEvidence, mode: ProxyMode) -> ProxyOptions:
    """Return the effective options; those of Kubernetes by default where nothing was read (`source` is None)."""
    options = _configured(evidence, mode)
    flags = [f for f in (evidence.command_line, evidence.logged_flags) if f is not None]
    host = next((h for f in flags if (h := _host(f))), options.hostname_override)
    verbosity = next((v for f in flags if (v := _verbosity(f)) is not None), options.verbosity)
    return replace(options, hostname_override=host, verbosity=verbosity)


def _configured(evidence: ProxyEvidence, mode: ProxyMode) -> ProxyOptions:
    if evidence.configz is not None and isinstance(evidence.configz.find(CONFIGZ), dict):
        return _of_document(evidence.configz, (CONFIGZ,), mode)
    flags = evidence.command_line
    if flags is not None and flags.values and not flags.configured_by_file:
        return _of_flags(flags, mode)
    for document in (evidence.config_file, evidence.config_map):
        if document is not None and isinstance(document.content, dict):
            return _of_document(document, (), mode)
    return _DEFAULTS


def _of_document(document: Document, root: tuple[str, ...], mode: ProxyMode) -> ProxyOptions:
    """Read a KubeProxyConfiguration; `null`, an empty text and `0s` stand for the default.

    Second places are those of the internal form that /configz of 1.31 to 1.35 may show.
    """
    section = mode.value if mode in {ProxyMode.NFTABLES, ProxyMode.IPVS} else "iptables"
    marking = "nftables" if mode is ProxyMode.NFTABLES else "iptables"

    def find(*places: tuple[str, ...]) -> object:
        values = (document.find(*root, *place) for place in places)
        return next((v for v in values if v is not None and v != ""), None)

    return _options(
        {
            "masquerade-all": find((marking, "masqueradeAll"), ("linux", "masqueradeAll")),
            "masquerade-bit": find((marking, "masqueradeBit")),
            "cluster-cidr": find(("clusterCIDR",), ("detectLocal", "clusterCIDRs")),
            "detect-local-mode": find(("detectLocalMode",)),
            "pod-bridge-interface": find(("detectLocal", "bridgeInterface")),
            "pod-interface-name-prefix": find(("detectLocal", "interfaceNamePrefix")),
            "nodeport-addresses": find(("nodePortAddresses",)),
            "localhost-nodeports": find(("iptables", "localhostNodePorts")),
            "sync-period": find((section, "syncPeriod"), ("syncPeriod",)),
            "strict-arp": find(("ipvs", "strictARP")),
            "hostname-override": find(("hostnameOverride",)),
            "feature-gates": find(("featureGates",)),
            "v": find(("logging", "verbosity")),
        },
        ProxyOptions(source=document.ref.at(*root)),
    )


def _of_flags(flags: Flags, mode: ProxyMode) -> ProxyOptions:
    values = flags.values
    prefix = "ipvs" if mode is ProxyMode.IPVS else "iptables"
    same = (
        *("masquerade-all", "cluster-cidr", "detect-local-mode", "pod-bridge-interface"),
        *(
            "pod-interface-name-prefix",
            "nodeport-addresses",
            "hostname-override",
            "feature-gates",
            "v",
        ),
    )
    return _options(
        {
            **{name: values.get(name) for name in same},
            "masquerade-bit": values.get("iptables-masquerade-bit"),
            "localhost-nodeports": values.get("iptables-localhost-nodeports"),
            "sync-period": values.get(f"{prefix}-sync-period"),
            "strict-arp": values.get("ipvs-strict-arp"),
        },
        ProxyOptions(source=flags.source),
    )


def _options(values: Mapping[str, object], default: ProxyOptions) -> ProxyOptions:
    cidrs = texts_of(values["cluster-cidr"])
    bit = number_in(values["masquerade-bit"], 0, _BITS)
    localhost = boolean_of(values["localhost-nodeports"])
    return replace(
        default,
        masquerade_all=boolean_of(values["masquerade-all"]) or False,
        masquerade_bit=default.masquerade_bit if bit is None else bit,
        cluster_cidrs=cidrs,
        detect_local=_detector(text_of(values["detect-local-mode"]), cidrs),
        bridge_interface=text_of(values["pod-bridge-interface"]),
        interface_prefix=text_of(values["pod-interface-name-prefix"]),
        node_port_addresses=texts_of(values["nodeport-addresses"]),
        localhost_node_ports=default.localhost_node_ports if localhost is None else localhost,
        sync_period_seconds=seconds_of(values["sync-period"]) or default.sync_period_seconds,
        strict_arp=boolean_of(values["strict-arp"]) or False,
        hostname_override=text_of(values["hostname-override"]),
        feature_gates=switches_of(values["feature-gates"]),
        verbosity=number_in(values["v"], 1, _HIGHEST_VERBOSITY),
    )


def _detector(mode: str, cidrs: tuple[str, ...]) -> DetectLocal:
    """Return how pods are told from others: ClusterCIDR by default (1.18), which without a CIDR is not at all."""
    detector = _DETECTORS.get(mode.lower(), DetectLocal.CLUSTER_CIDR)
    return DetectLocal.NONE if detector is DetectLocal.CLUSTER_CIDR and not cidrs else detector


def _host(flags: Flags) -> str:
    """Return `--hostname-override`; a pod's `$(NODE_NAME)` is filled in by kubelet and not known here."""
    host = flags.values.get("hostname-override", "")
    return "" if "$(" in host else host


def _verbosity(flags: Flags) -> int | None:
    return number_in(flags.values.get("v"), 0, _HIGHEST_VERBOSITY)
