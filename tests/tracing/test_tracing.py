"""From what a user writes to what is traced, and what is said where that leads nowhere."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from analyzer.bundle.reader import Bundle, open_bundle
from analyzer.errors import UsageError
from analyzer.load import load
from analyzer.report.terminal import Terminal
from analyzer.simulate.outcome import Answer, Verdict
from analyzer.snapshot import ClusterView
from analyzer.tracing import Renderer, TraceQuery, all_delivered, run_queries, run_trace


@pytest.fixture(scope="module")
def bundle(samples: Path) -> Iterator[Bundle]:
    with open_bundle([samples / "healthy" / "bundle.tgz"]) as opened:
        yield opened


@pytest.fixture(scope="module")
def cluster(bundle: Bundle) -> ClusterView:
    return load(bundle)


@pytest.fixture(scope="module")
def pod(cluster: ClusterView) -> str:
    """A pod with a network of its own in namespace default."""
    usable = (p for p in cluster.pods if p.namespace == "default" and not p.host_network and p.ips)
    return next(p.full_name for p in usable)


@pytest.fixture(scope="module")
def node(cluster: ClusterView) -> str:
    return next(iter(cluster.nodes))


def _service(cluster: ClusterView) -> str:
    """A Service of namespace default with one port and endpoints."""
    for key, service in cluster.services.items():
        ready = [b for b in cluster.backends.get(key, ()) if b.ready and b.pod]
        if key.namespace == "default" and ready and len(service.ports) == 1:
            return key.name
    raise AssertionError("the sample has no such Service")


def _verdicts(answer: Answer) -> set[Verdict]:
    return {outcome.verdict for outcome in answer.trace.outcomes}


@pytest.mark.parametrize(
    "form",
    [
        "service:default/{name}", "service:default/{name}:{port}", "{ip}:{port}", "{name}", "{name}.default",
        "{name}.default.svc.cluster.local", "{name}.default.svc.cluster.local.:{port}",
    ],
)  # fmt: skip
def test_every_way_to_write_a_service_leads_to_its_endpoints(
    cluster: ClusterView, pod: str, form: str
) -> None:
    name = _service(cluster)
    service = next(
        s for s in cluster.services.values() if (s.namespace, s.name) == ("default", name)
    )
    text = form.format(name=name, ip=service.cluster_ips[0], port=service.ports[0].port)
    answer = run_trace(cluster, TraceQuery(f"pod:{pod}", text))
    assert _verdicts(answer) == {Verdict.DELIVERED}
    expected = {str(b.endpoint) for b in cluster.backends[service.key] if b.ready}
    assert {
        f"{o.backend.address}:{o.backend.port}" for o in answer.trace.outcomes if o.backend
    } == expected
    assert sum(o.probability for o in answer.trace.outcomes) == 1
    assert all_delivered(answer)


def test_a_name_is_resolved_with_the_pods_own_resolv_conf(cluster: ClusterView, pod: str) -> None:
    answer = run_trace(cluster, TraceQuery(f"pod:{pod}", _service(cluster)))
    assert answer.resolution is not None
    assert answer.resolution.queries[0].name == f"{_service(cluster)}.default.svc.cluster.local."


def test_a_name_in_another_namespace_says_where_it_is(cluster: ClusterView) -> None:
    name = _service(cluster)
    asking = next(
        c.full_name
        for c in cluster.pod_resolv_confs
        if c.namespace != "default"
        and c.resolv_conf.ndots > 1
        and not cluster.pod_by_name[c.full_name].host_network
    )
    answer = run_trace(cluster, TraceQuery(f"pod:{asking}", name))
    assert _verdicts(answer) == {Verdict.UNRESOLVED}
    assert f"{name} exists in namespace default" in answer.trace.outcomes[0].reason


def test_a_name_does_not_resolve_where_the_nameserver_is_not_the_clusters(samples: Path) -> None:
    with open_bundle([samples / "nameserver-wrong" / "bundle.tgz"]) as opened:
        cluster = load(opened)
        wrong = next(
            c.full_name
            for c in cluster.pod_resolv_confs
            if c.resolv_conf.ndots > 1
            and c.resolv_conf.nameservers[0][0] not in cluster.dns_addresses
            and not cluster.pod_by_name[c.full_name].host_network
        )
        answer = run_trace(cluster, TraceQuery(f"pod:{wrong}", f"{_service(cluster)}.default"))
    assert _verdicts(answer) == {Verdict.UNRESOLVED}
    assert "is not the cluster's DNS" in answer.trace.outcomes[0].reason


def test_without_a_node_an_outside_client_comes_by_the_owner_or_by_each(
    cluster: ClusterView, node: str
) -> None:
    owned = cluster.nodes[node].api_object
    assert owned is not None
    by_owner = run_trace(cluster, TraceQuery("external:198.51.100.9", f"{owned.internal_ips[0]}:1"))
    assert {s.host for o in by_owner.trace.outcomes for s in o.path} == {node}
    by_each = run_trace(cluster, TraceQuery("external:198.51.100.9", "203.0.113.77:1"))
    first = {o.path[0].host for o in by_each.trace.outcomes}
    assert first == set(cluster.nodes)
    assert {o.probability for o in by_each.trace.outcomes} == {Fraction(1, len(cluster.nodes))}


@pytest.mark.parametrize(
    ("source", "destination", "protocol", "message"),
    [
        (
            "toolbox",
            "10.96.0.1:443",
            "",
            "expected pod:NAMESPACE/NAME, node:NAME or external:ADDRESS",
        ),
        ("pod:default/nobody", "10.96.0.1:443", "", "no pod default/nobody"),
        ("node:nowhere", "10.96.0.1:443", "", "no node 'nowhere'"),
        ("external:here", "10.96.0.1:443", "", "expected external:ADDRESS"),
        ("external:1.2.3.4@nowhere", "10.96.0.1:443", "", "no node 'nowhere'"),
        ("{node}", "10.96.0.1", "", "expected ADDRESS:PORT"),
        ("{node}", "10.96.0.1:99999", "", "is no port"),
        ("{node}", "10.96.0.1:x", "", "is no port"),
        ("{node}", "", "", "expected service:NAMESPACE/NAME"),
        ("{node}", "service:{name}", "", "expected service:NAMESPACE/NAME"),
        ("{node}", "default/{name}", "", "expected service:NAMESPACE/NAME"),
        ("{node}", "http://{name}:80/", "", "expected service:NAMESPACE/NAME"),
        ("{node}", "service:default/{name}:12345", "", "has no port 12345"),
        ("{node}", "10.96.0.1:443", "icmp", "expected TCP, UDP, SCTP"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(  # noqa: PLR0913, PLR0917 - the columns of the table
    cluster: ClusterView, node: str, source: str, destination: str, protocol: str, message: str
) -> None:
    words = {"node": f"node:{node}", "name": _service(cluster)}
    query = TraceQuery(source.format(**words), destination.format(**words), protocol)
    with pytest.raises(UsageError) as caught:
        run_trace(cluster, query)
    assert message in str(caught.value)


def test_a_service_that_is_not_there_does_not_resolve(cluster: ClusterView, node: str) -> None:
    name = _service(cluster)
    answer = run_trace(cluster, TraceQuery(f"node:{node}", f"service:elsewhere/{name}"))
    assert _verdicts(answer) == {Verdict.UNRESOLVED}
    assert (
        f"no Service elsewhere/{name}; there is one in namespace default"
        in answer.trace.outcomes[0].reason
    )


def test_queries_are_answered_line_by_line_whatever_they_hold(
    bundle: Bundle, cluster: ClusterView, pod: str, node: str
) -> None:
    lines = [
        json.dumps({"from": f"pod:{pod}", "to": _service(cluster), "protocol": "tcp"}),
        "",
        "not JSON",
        json.dumps({"from": f"node:{node}"}),
        json.dumps(["from"]),
        json.dumps({"from": f"node:{node}", "to": "10.96.0.1:443", "protocol": 6}),
    ]
    renderer = Renderer(bundle, None)
    answers = [json.loads(renderer.render(answer)) for answer in run_queries(cluster, lines)]
    assert len(answers) == 5
    assert "not a JSON object with the strings from and to: not JSON" in answers[1]["reason"]
    assert [a["conclusive"] for a in answers] == [True, False, False, False, True]
    for answer in answers:
        assert sum(o["probability"] for o in answer["outcomes"]) == pytest.approx(1)
    step = answers[0]["outcomes"][0]["path"][0]
    assert step.keys() == {
        "node",
        "packet",
        "hook",
        "table",
        "chain",
        "file",
        "line",
        "rule",
        "effect",
    }
    line = bundle.text(step["file"])[0].splitlines()[step["line"] - 1]
    assert line.endswith(step["rule"])


def test_the_text_reads_like_a_path(bundle: Bundle, cluster: ClusterView, pod: str) -> None:
    query = TraceQuery(f"pod:{pod}", f"service:default/{_service(cluster)}")
    text = Renderer(bundle, Terminal(100, color=False)).render(run_trace(cluster, query))
    assert text.startswith(f"pod:{pod} -> service:default/{_service(cluster)} (TCP)\n")
    for words in (
        "delivered",
        "PREROUTING nat: jump KUBE-SERVICES",
        "DNAT: to",
        "iptables-save.txt:",
        "the answer comes back",
    ):
        assert words in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("subdomain", "resolves"), [("db-headless", True), ("other", False)], ids=str
)
def test_a_pod_has_a_name_in_the_headless_service_that_is_its_subdomain(
    samples: Path, tmp_path: Path, pod: str, subdomain: str, resolves: bool
) -> None:
    with tarfile.open(samples / "healthy" / "bundle.tgz") as archive:
        archive.extractall(tmp_path, filter="data")
    (listed,) = tmp_path.rglob("pods.json")
    pods = json.loads(listed.read_text())
    named = next(p for p in pods["items"] if p["metadata"]["name"].startswith("db-"))
    named["spec"] |= {"hostname": "db-0", "subdomain": subdomain}
    listed.write_text(json.dumps(pods))
    with open_bundle([listed.parent.parent]) as opened:
        answer = run_trace(
            load(opened), TraceQuery(f"pod:{pod}", "db-0.db-headless.shop.svc.cluster.local.:5432")
        )
    assert answer.resolution is not None
    assert answer.resolution.addresses == ((named["status"]["podIP"],) if resolves else ())


def test_a_pod_of_a_deployment_has_no_name_in_a_headless_service(
    cluster: ClusterView, pod: str
) -> None:
    name = next(p.name for p in cluster.pods if p.name.startswith("db-"))
    answer = run_trace(cluster, TraceQuery(f"pod:{pod}", f"{name}.db-headless.shop:5432"))
    assert _verdicts(answer) == {Verdict.UNRESOLVED}
