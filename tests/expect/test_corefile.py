"""A Corefile is read in any shape that CoreDNS accepts, and in some that it does not."""

from __future__ import annotations

import pytest

from analyzer.expect.corefile import answers_for, cluster_zones, read_corefile

KUBEADM = """.:53 {
    errors
    health {
       lameduck 5s
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure   # trust
       fallthrough in-addr.arpa ip6.arpa
    }
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    loop
}
"""


def test_plugins_have_arguments_options_and_lines() -> None:
    (use,) = read_corefile(KUBEADM).uses("forward")
    assert (use.zones, use.plugin.arguments, use.plugin.line) == (
        (".",),
        (".", "/etc/resolv.conf"),
        10,
    )
    (option,) = use.plugin.body
    assert option.words == ("max_concurrent", "1000")


@pytest.mark.parametrize(
    ("text", "zones"),
    [
        pytest.param(KUBEADM, ("cluster.local",), id="kubeadm"),
        pytest.param("k8s.corp:53 {\n kubernetes\n}", ("k8s.corp",), id="zone of the server block"),
        pytest.param(
            "dns://Example.ORG.:5353, a.b {\n kubernetes\n}", ("example.org", "a.b"), id="spelling"
        ),
        pytest.param("a.b,\nc.d {\n kubernetes\n}", ("a.b", "c.d"), id="zones on two lines"),
        pytest.param(".:53\nerrors\nkubernetes x.local {\n}", ("x.local",), id="without braces"),
        pytest.param(
            "(k8s) {\n kubernetes x.local 10.0.0.0/8\n}\n. {\n import k8s\n}",
            ("x.local",),
            id="snippet",
        ),
        pytest.param(". {\n}\nx.local {\n kubernetes\n}", ("x.local",), id="empty block first"),
        pytest.param(". {\r\n kubernetes x.local\r\n}\r\n", ("x.local",), id="CR LF"),
        pytest.param('. {\n kubernetes "x.local"\n}', ("x.local",), id="quoted"),
        pytest.param(". {\n # kubernetes y\n kubernetes x.local", ("x.local",), id="not closed"),
        pytest.param("}\n}\n. {\n kubernetes x.local\n}", ("x.local",), id="closed too often"),
        pytest.param(". {\n forward . 1.1.1.1\n}", (), id="no kubernetes"),
        pytest.param("", (), id="empty"),
        pytest.param('"', (), id="an open quote"),
    ],
)
def test_zones_of_the_cluster(text: str, zones: tuple[str, ...]) -> None:
    assert cluster_zones(read_corefile(text)) == zones


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        pytest.param(KUBEADM, True, id="the zone of kubernetes"),
        pytest.param(KUBEADM.replace("cluster.local", "corp.local"), False, id="another zone"),
        pytest.param(". {\n kubernetes .\n}", True, id="everywhere"),
        pytest.param(". {\n kubernetes local\n}", False, id="Services of a zone above"),
        pytest.param(
            ". {\n rewrite name suffix .cluster.local .c.d\n kubernetes c.d\n}",
            True,
            id="rewritten",
        ),
        pytest.param(
            r". {\n rewrite name regex (.*)\.cluster\.local {1}.c.d".replace("\\n", "\n")
            + "\n kubernetes c.d\n}",
            True,
            id="rewritten by an expression",
        ),
        pytest.param(
            "local {\n forward . 10.0.0.1\n}\n. {\n kubernetes c.d\n}", True, id="a block above"
        ),
        pytest.param("", False, id="empty"),
    ],
)
def test_what_answers_for_a_cluster_domain(text: str, answers: bool) -> None:
    assert answers_for(read_corefile(text), "Cluster.Local.") is answers


def test_deep_nesting_is_read() -> None:
    assert read_corefile("a {\n" * 5000).servers[0].name == "a"
