"""Names as a client's resolver asks for them, and what the cluster's DNS says."""

from __future__ import annotations

import pytest

from analyzer.model.forwarding import ServiceKey
from analyzer.model.kubernetes import Metadata, Service, ServiceSpec
from analyzer.model.node import ResolvConf
from analyzer.simulate.names import Directory, NamedEndpoint, Reply, candidates, resolve


def _service(namespace: str, name: str, **spec: object) -> Service:
    return Service(metadata=Metadata(name=name, namespace=namespace), spec=ServiceSpec(**spec))  # type: ignore[arg-type]


_SERVICES = (
    _service("default", "hostnames", cluster_ip="10.96.0.1"),
    _service("shop", "web", cluster_ip="10.96.0.2", cluster_ips=("10.96.0.2", "fd00::2")),
    _service("shop", "db", cluster_ip="None"),
    _service("shop", "empty", cluster_ip="None"),
    _service("shop", "alias", type="ExternalName", external_name="web.shop.svc.cluster.local"),
    _service("shop", "outside", type="ExternalName", external_name="db.example.com"),
    _service("shop", "loop", type="ExternalName", external_name="loop.shop.svc.cluster.local"),
)
_DIRECTORY = Directory(
    ("cluster.local",),
    {s.key: s for s in _SERVICES},
    {ServiceKey("shop", "db"): (NamedEndpoint("10.0.0.1", "db-0"), NamedEndpoint("10.0.0.2", ""))},
)


def _conf(*search: str, ndots: int = 5) -> ResolvConf:
    return ResolvConf((), search, None, {"ndots": str(ndots)}, None)


_SHOP = _conf("shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.internal")


@pytest.mark.parametrize(
    ("name", "conf", "asked"),
    [
        ("web", _conf("a.b", "c"), ("web.a.b.", "web.c.", "web.")),
        ("web.", _SHOP, ("web.",)),
        ("web.shop", _conf("a", ndots=1), ("web.shop.", "web.shop.a.")),
        ("web", _conf("a", ndots=1), ("web.a.", "web.")),
        ("web", _conf("."), ("web.",)),
    ],
    ids=["search first", "absolute", "enough dots", "too few dots", "root"],
)  # fmt: skip
def test_queries_come_in_the_order_of_resolv_conf(
    name: str, conf: ResolvConf, asked: tuple[str, ...]
) -> None:
    assert candidates(name, conf) == asked


@pytest.mark.parametrize(
    ("name", "addresses"),
    [
        ("web", ("10.96.0.2", "fd00::2")),
        ("WEB", ("10.96.0.2", "fd00::2")),
        ("hostnames.default", ("10.96.0.1",)),
        ("hostnames.default.svc", ("10.96.0.1",)),
        ("hostnames.default.svc.cluster.local", ("10.96.0.1",)),
        ("hostnames.default.svc.cluster.local.", ("10.96.0.1",)),
        ("db", ("10.0.0.1", "10.0.0.2")),
        ("db-0.db", ("10.0.0.1",)),
        ("10-0-0-2.db", ("10.0.0.2",)),
        ("alias", ("10.96.0.2", "fd00::2")),
        ("10-244-0-5.default.pod", ("10.244.0.5",)),
    ],
)
def test_a_name_resolves(name: str, addresses: tuple[str, ...]) -> None:
    assert resolve(name, _SHOP, _DIRECTORY).addresses == addresses


@pytest.mark.parametrize(
    ("name", "outside", "reason"),
    [
        ("hostnames", False, "hostnames exists in namespace default: ask for hostnames.default"),
        ("nothing", False, "no query for nothing is answered"),
        ("web.default", False, "web exists in namespace shop"),
        ("empty", False, "a headless Service without ready endpoints"),
        ("db-7.db", False, "no query for db-7.db is answered"),
        ("10-0-0-1.db", False, "no query for 10-0-0-1.db is answered"),
        ("www.example.com", True, "not in the cluster's zone"),
        ("outside", True, "db.example.com. is not in the cluster's zone"),
        ("loop", False, "no query for loop is answered"),
    ],
)
def test_a_name_does_not_resolve_and_says_why(name: str, outside: bool, reason: str) -> None:
    found = resolve(name, _SHOP, _DIRECTORY)
    assert found.addresses == ()
    assert found.outside is outside
    assert reason in found.reason


def test_without_the_search_list_only_full_names_resolve() -> None:
    assert resolve("web.shop", _conf(), _DIRECTORY).addresses == ()
    full = resolve("web.shop.svc.cluster.local", _conf(), _DIRECTORY)
    assert full.service == ServiceKey("shop", "web")


def test_every_query_is_told_with_its_answer() -> None:
    found = resolve("alias", _SHOP, _DIRECTORY)
    assert [(q.name, q.reply) for q in found.queries] == [
        ("alias.shop.svc.cluster.local.", Reply.ALIAS),
        ("web.shop.svc.cluster.local.", Reply.ANSWER),
    ]
