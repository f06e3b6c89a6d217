"""The check `dns-nameserver-wrong`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.resolv_conf import DNSOrigin, compare_resolv_conf, expected_resolv_conf
from analyzer.language import _, plural
from analyzer.model.address import canonical_ip
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Pod
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView, NodeView, PodResolvConf


@check(
    station=Station.DNS,
    severity=Severity.ERROR,
    needs=(Input.SERVICES, Input.PODS),
    consequence_of=("dns-service-missing",),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#does-any-service-work-by-dns-name",
        "https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/",
    ),
)
def dns_nameserver_wrong(cluster: ClusterView) -> Iterator[Outcome]:
    """
    Pods ask a nameserver that is not the cluster's DNS.

    ## Why it matters
    Names of Services do not resolve in these pods; the Services answer by IP address. Where the right
    nameserver stands before the wrong one, names resolve, but not for every resolver, and not while the first
    is slow: that is a warning.

    ## How to put it right
    Set clusterDNS of kubelet to the cluster IP of the DNS Service, restart kubelet, and recreate the pods:
    a pod keeps the resolv.conf of its start.

    ## Where it is silent
    For pods whose dnsPolicy asks for the node's resolvers, for nameservers of their own dnsConfig, for any
    Service with port 53, and for caches on the node (NodeLocal DNSCache, an address of the node's interfaces).
    """
    if not cluster.dns_addresses:
        yield Undecided(reason=_("the bundle shows no DNS Service to compare nameservers with"))
        return
    if not cluster.pod_resolv_confs:
        yield Undecided(
            reason=_("no pod's resolv.conf is in the bundle"),
            missing=("pods/<namespace>/<pod>/resolv.conf",),
            command=Input.POD_RESOLV_CONF.command(),
        )
    groups: dict[tuple[str, ...], _Askers] = defaultdict(_Askers)
    right = _read_pods(cluster, groups)
    _read_kubelets(cluster, groups, right)
    for addresses, askers in sorted(groups.items()):
        unknown = [n for n in askers.all_nodes if _is_unknown(n, addresses)]
        if unknown:
            yield _undecided(addresses, unknown[0])
        else:
            yield _problem(cluster, addresses, askers)


@dataclass(slots=True)
class _Askers:
    """Who asks the same wrong nameservers."""

    pods: list[tuple[PodResolvConf, Pod, NodeView | None]] = field(default_factory=list)
    kubelets: list[NodeView] = field(default_factory=list)

    @property
    def all_nodes(self) -> list[NodeView]:
        """The nodes whose kubelets or pods they are."""
        return [*self.kubelets, *(node for _, _, node in self.pods if node is not None)]


def _read_pods(cluster: ClusterView, groups: dict[tuple[str, ...], _Askers]) -> set[str]:
    """Add the pods with wrong nameservers; return the nodes of which a pod has nothing but right ones."""
    right: set[str] = set()
    for read in cluster.pod_resolv_confs:
        pod = cluster.pod_by_name.get(read.full_name)
        if pod is None:
            continue
        node = cluster.nodes.get(pod.spec.node_name)
        told = node.kubelet_dns.cluster_dns if node else None
        expected = expected_resolv_conf(pod, () if told == () else None, "", None)
        found = compare_resolv_conf(expected, read.resolv_conf, pod, cluster.dns_addresses)
        wrong = tuple(a for a, _ in found.wrong_nameservers if not _answers(node, a))
        if wrong:
            groups[wrong].pods.append((read, pod, node))
        elif expected.origin is DNSOrigin.CLUSTER:
            right.add(pod.spec.node_name)
    return right


def _read_kubelets(
    cluster: ClusterView, groups: dict[tuple[str, ...], _Askers], right: set[str]
) -> None:
    """Add the kubelets set to wrong nameservers, but for those whose pods show that they are set right."""
    for node in cluster.nodes.values():
        told = node.kubelet_dns.cluster_dns or ()
        known = {*cluster.dns_addresses}
        wrong = tuple(a for a in told if a not in known and not _answers(node, a))
        if wrong and (node.name not in right or wrong in groups):
            groups[wrong].kubelets.append(node)


def _answers(node: NodeView | None, address: str) -> bool:
    return node is not None and node.answers_dns_beside_the_cluster(canonical_ip(address)) is True


def _is_unknown(node: NodeView, addresses: tuple[str, ...]) -> bool:
    return any(node.answers_dns_beside_the_cluster(canonical_ip(a)) is None for a in addresses)


def _undecided(addresses: tuple[str, ...], node: NodeView) -> Undecided:
    return Undecided(
        reason=_(
            "{names} may be a DNS cache on {node} itself: its addresses would tell",
            names=listed(addresses, len(addresses)),
            node=node.name,
        ),
        missing=(Input.ADDRESSES.path(node.name),),
        command=Input.ADDRESSES.command(node.name),
        node=node.name,
    )


def _problem(cluster: ClusterView, addresses: tuple[str, ...], askers: _Askers) -> Problem:
    pods = [read.full_name for read, _, _ in askers.pods]
    asked = listed(addresses, len(addresses))
    said = []
    if pods:
        said.append(
            plural(
                "{names} asks {asked}",
                "{names} ask {asked}",
                len(pods),
                names=listed(pods),
                asked=asked,
            )
        )
    if askers.kubelets:
        names = listed([n.name for n in askers.kubelets])
        said.append(_("kubelet's clusterDNS on {names} is {asked}", names=names, asked=asked))
    lost = _asked_first(cluster, askers)
    right = ", ".join(cluster.dns_addresses[:4])
    return Problem(
        message=_("{names}, but the cluster's DNS is {right}", names="; ".join(said), right=right)
        if lost
        else _(
            "{names} beside the cluster's DNS, {right}: another resolver does not know Services",
            names="; ".join(said),
            right=right,
        ),
        evidence=tuple(_evidence(cluster, addresses, askers)),
        remedy=_remedy(cluster, addresses, askers),
        severity=None if lost and not _on_loopback(addresses, askers) else Severity.WARNING,
        pod=pods[0] if len(pods) == 1 and not askers.kubelets else None,
        partial=True,
    )


def _asked_first(cluster: ClusterView, askers: _Askers) -> bool:
    known = {*cluster.dns_addresses}
    first = [read.resolv_conf.nameservers[0][0] for read, _, _ in askers.pods]
    first += [(n.kubelet_dns.cluster_dns or ("",))[0] for n in askers.kubelets]
    return any(canonical_ip(a) not in known for a in first)


def _on_loopback(addresses: tuple[str, ...], askers: _Askers) -> bool:
    """Tell whether a program in the pods may forward the queries; kubelet writes no such address by itself."""
    own = all(a.startswith("127.") or canonical_ip(a) == "::1" for a in addresses)
    return own and not askers.kubelets


def _evidence(
    cluster: ClusterView, addresses: tuple[str, ...], askers: _Askers
) -> Iterator[Evidence]:
    for read, *_rest in askers.pods[:3]:
        line = next(ref for a, ref in read.resolv_conf.nameservers if a in addresses)
        yield Evidence(line, _("resolv.conf of {read}", read=read.full_name))
    sources = dict.fromkeys(n.kubelet_dns.cluster_dns_source for n in askers.kubelets)
    for source in [s for s in sources if s is not None][:3]:
        yield Evidence(source, _("kubelet's clusterDNS"))
    for service in cluster.dns_services[:1]:
        yield Evidence(
            service.ref.at("spec", "clusterIP"),
            _("cluster IP of {service}", service=service.full_name),
        )


def _remedy(cluster: ClusterView, addresses: tuple[str, ...], askers: _Askers) -> str:
    right = cluster.dns_addresses[0]
    if _on_loopback(addresses, askers):
        return _(
            "kubelet does not write this address: see that the program in the pod which "
            "answers there forwards names of Services to {right}.",
            right=right,
        )
    nodes = list(dict.fromkeys(n.name for n in askers.all_nodes))
    told = {a for n in askers.all_nodes for a in n.kubelet_dns.cluster_dns or ()}
    again = _("recreate the pods, which keep the resolv.conf of their start")
    if askers.pods:
        pod = askers.pods[0][1]
        again += _(", such as: ") + shell("kubectl", "-n", pod.namespace, "delete", "pod", pod.name)
    if told and told <= {*cluster.dns_addresses}:
        return _(
            "kubelet's configuration names {names}, these pods do not: {again}",
            names=", ".join(sorted(told)),
            again=again,
        )
    where = _(" on {nodes}", nodes=listed(nodes)) if nodes else ""
    return _(
        "Set clusterDNS in kubelet's configuration{where} to {right}, restart "
        "kubelet there, then {again}",
        where=where,
        right=right,
        again=again,
    )
