"""The check `kube-proxy-node-name-mismatch`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.source import ObjectRef, Ref
from analyzer.model.station import Station
from analyzer.observe.proxy_log import Occurrences, Topic, details
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import NodeView


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.WARNING,
    needs=(Input.PROXY_LOG,),
    references=("https://github.com/kubernetes/kubernetes/issues/71851",),
)
def kube_proxy_node_name_mismatch(node: NodeView) -> Iterator[Problem]:
    """
    kube-proxy looks for its node under a name that the cluster does not have.

    ## Why it matters
    It cannot tell which endpoints are on its own node: Services with a Local traffic policy have none
    there, the node's address is guessed, and zone hints are ignored.

    ## How to put it right
    Start kube-proxy with `--hostname-override` set to the Node object's name (kubeadm does so from
    `spec.nodeName`).

    ## Where it is silent
    When kube-proxy found its node later: one that starts before its node is registered tries several times.
    """
    found = node.proxy_log_topics.current(Topic.NODE_UNKNOWN)
    if found is not None:
        yield _from_log(node, found)
    elif override := node.kube_proxy.options.hostname_override:
        yield from _from_configuration(node, override)


def _from_log(node: NodeView, found: Occurrences) -> Problem:
    told = details(Topic.NODE_UNKNOWN, found.last)
    used = told.get("name") or told.get("current") or told.get("host") or ""
    evidence = [Evidence(found.last.source, found.note)]
    assumed = node.proxy_log_topics.last(Topic.NODE_ADDRESS_ASSUMED)
    if assumed is not None:
        evidence.append(Evidence(assumed.source, _("and so it guesses its address")))
    if node.api_object is not None:
        evidence.append(Evidence(node.api_object.ref.at("metadata", "name"), _("the node's name")))
    if used == node.name:
        return Problem(
            message=_(
                "kube-proxy on {node} started before its Node object was there, and did not "
                "find it",
                node=node.name,
            ),
            evidence=tuple(evidence),
            remedy=_("Restart kube-proxy, now that the node is registered: ")
            + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
        )
    return Problem(
        message=_(
            "kube-proxy on {node} takes {name} for its node's name, which no node of "
            "the cluster has",
            node=node.name,
            name=used or _("another name"),
        ),
        evidence=tuple(evidence),
        remedy=_remedy(node),
    )


def _from_configuration(node: NodeView, override: str) -> Iterator[Problem]:
    source = node.kube_proxy.options.source
    if source is None or node.api_object is None or override == node.name or "$" in override:
        return
    known = node.cluster.nodes.get(override)
    other = known is not None and known.api_object is not None
    if not other and node.cluster.known_nodes is None:
        return
    told = _("another node") if other else _("no node of the cluster")
    yield Problem(
        message=_(
            "kube-proxy on {node} is told that its node is {override}, which is {told}",
            node=node.name,
            override=override,
            told=told,
        ),
        evidence=(
            Evidence(
                _place_of_override(source), _("hostname override {override}", override=override)
            ),
            Evidence(node.api_object.ref.at("metadata", "name"), _("the node's name")),
        ),
        remedy=_remedy(node),
    )


def _place_of_override(source: Ref) -> Ref:
    """Return the field of a configuration file; a command line shows it as it is."""
    return source.at("hostnameOverride") if isinstance(source, ObjectRef) else source


def _remedy(node: NodeView) -> str:
    return _(
        "Set --hostname-override (or hostnameOverride in its configuration) to "
        "{node}, then restart kube-proxy: ",
        node=node.name,
    ) + restart_kube_proxy(node.proxy_pods, node.proxy_processes)
