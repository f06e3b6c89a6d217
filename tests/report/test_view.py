from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from analyzer.findings import Report
from analyzer.model.forwarding import ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.verdict import Verdict
from analyzer.report.text import render_text
from analyzer.report.view import view_of
from analyzer.report.view_gaps import gaps_of
from tests.report import factories as make
from tests.report.cases import hostile, node_without_hook


def of_verdicts(*verdicts: Verdict) -> Report:
    return make.report(
        services=tuple(
            make.diagnosed(make.service("shop", f"web-{n}"), verdict)
            for n, verdict in enumerate(verdicts)
        )
    )


B, D, H, U = Verdict.BROKEN, Verdict.DEGRADED, Verdict.HEALTHY, Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("verdicts", "headline"),
    [
        ([], "No Service was examined."),
        ([B], "Service shop/web-0 is broken."),
        ([U], "Service shop/web-0 could not be judged."),
        ([H, H], "All 2 Services are healthy."),
        ([U, U], "None of the 2 Services could be judged."),
        ([B, B], "All 2 Services are broken."),
        ([B, H, H], "1 of 3 Services is broken."),
        ([B, B, D, H], "2 of 4 Services are broken, 1 is degraded."),
        ([B, D, D, U], "1 of 4 Services is broken, 2 are degraded, 1 could not be judged."),
        ([D, H], "1 of 2 Services is degraded."),
        ([H, U, U], "1 of 3 Services is healthy, 2 could not be judged."),
    ],
)
def test_the_headline_says_how_many_are_in_which_state(
    verdicts: Sequence[Verdict], headline: str
) -> None:
    assert view_of(of_verdicts(*verdicts)).headline == headline


def test_services_in_the_worst_state_come_first() -> None:
    rows = view_of(of_verdicts(H, U, B, D)).services
    assert [row.verdict for row in rows] == [B, D, U, H]


def test_consequences_are_folded_into_their_cause() -> None:
    cause, other = view_of(node_without_hook()).problems
    assert (cause.shown.id, [c.id for c in cause.consequences]) == ("f1", ["f2", "f3", "f4", "f5"])
    assert cause.services == ("shop/web-1", "shop/web-2", "shop/web-3", "shop/web-4")
    assert (other.shown.id, other.consequences) == ("f6", ())


def test_a_consequence_of_a_consequence_belongs_to_the_root() -> None:
    found = make.Findings()
    found.add(make.rules_hook_missing, "cause")
    found.add(make.rules_service_missing, "effect", caused_by="f1")
    found.add(make.hairpin_disabled, "effect of the effect", caused_by="f2")
    (cause,) = view_of(make.report(found)).problems
    assert [c.id for c in cause.consequences] == ["f2", "f3"]


@pytest.mark.parametrize("caused_by", ["f2", "f1", "f9"], ids=["circle", "itself", "unknown"])
def test_no_finding_is_lost_where_its_cause_is_none(caused_by: str) -> None:
    found = make.Findings()
    found.add(make.rules_hook_missing, "one", caused_by=caused_by)
    found.add(make.rules_service_missing, "other", caused_by="f1")
    view = view_of(make.report(found))
    shown = [c.shown.id for c in view.problems] + [
        e.id for c in view.problems for e in c.consequences
    ]
    assert sorted(shown) == ["f1", "f2"]


def test_the_gravest_cause_of_most_services_comes_first() -> None:
    found = make.Findings()
    web, db = ServiceKey("shop", "web"), ServiceKey("shop", "db")
    found.add(make.hairpin_disabled, "warning")
    found.add(make.rules_hook_missing, "error on one", service=web)
    found.add(make.selector_matches_no_pods, "error on two", affects=frozenset({web, db}))
    found.add(make.not_ready_addresses_published, "advice")
    view = view_of(make.report(found))
    assert [c.shown.message for c in view.problems] == ["error on two", "error on one", "warning"]
    assert [c.shown.message for c in view.advice] == ["advice"]
    assert view.problems[0].shown.subject == "Services shop/db and shop/web"


def test_many_findings_of_one_check_do_not_hide_the_others() -> None:
    found = make.Findings()
    for number in range(20):
        found.add(make.selector_matches_no_pods, f"selector {number}")
    found.add(make.hairpin_disabled, "hairpin")
    view = view_of(make.report(found))
    assert [c.shown.id for c in view.leading] == ["f1", "f2", "f3", "f21"]
    assert len(view.further) == 17


def test_every_finding_is_in_the_group_of_its_check() -> None:
    view = view_of(node_without_hook())
    assert [(g.check.slug, len(g.causes)) for g in view.groups] == [
        ("rules-hook-missing", 1),
        ("hairpin-disabled", 1),
    ]
    assert view.groups[0].references == (
        "https://kubernetes.io/docs/reference/networking/virtual-ips/",
    )


def test_a_file_missing_for_several_nodes_is_one_gap() -> None:
    (gap,) = gaps_of(
        [
            make.gap(make.rules_hook_missing, "node-b", Input.PROXY_LOG),
            make.gap(make.rules_service_missing, "node-a", Input.PROXY_LOG),
            make.gap(make.rules_hook_missing, "node-a", Input.PROXY_LOG),
        ]
    )
    assert gap.path == "nodes/<node>/kube-proxy.log"
    assert gap.owners == ("node-a", "node-b")
    assert "--field-selector spec.nodeName=<node> " in gap.command
    assert gap.reasons == ("nodes/<node>/kube-proxy.log is not in the bundle",)
    assert gap.checks == ("rules-hook-missing", "rules-service-missing")


def test_a_file_missing_for_one_node_keeps_its_name() -> None:
    (gap,) = gaps_of([make.gap(make.rules_hook_missing, "a", Input.RULESET)])
    assert (gap.path, gap.command) == ("nodes/a/iptables-save.txt", "iptables-save -c")
    assert gap.where == "on a"


def test_why_a_file_that_is_there_does_not_decide_is_said() -> None:
    absent = make.gap(make.rules_hook_missing, "a", Input.RULESET)
    cut_off = replace(absent, reason="the dump of a has no counters")
    (gap,) = gaps_of([absent, cut_off])
    assert gap.peculiar == "the dump of a has no counters"
    (gap,) = gaps_of([absent])
    assert gap.peculiar == ""
    text = render_text(make.report(not_evaluated=(cut_off,)), width=200, color=False)
    assert "nodes/a/iptables-save.txt: the dump of a has no counters\n" in text


def test_only_whole_names_are_generalised() -> None:
    """A node named like a part of the command: `api` in `/api/v1/nodes/api/proxy/configz`."""
    gaps = gaps_of(
        make.gap(make.hairpin_disabled, node, Input.KUBELET_CONFIGZ) for node in ("v", "proxy-1")
    )
    assert gaps[0].command == "kubectl get --raw /api/v1/nodes/<node>/proxy/configz"
    assert gaps[0].where == ""


def test_severity_may_differ_from_the_checks() -> None:
    found = make.Findings()
    found.add(make.hairpin_disabled, "x", severity=Severity.INFO)
    view = view_of(make.report(found))
    assert (len(view.problems), len(view.advice)) == (0, 1)


def test_anchors_are_safe_in_a_link() -> None:
    anchors = [row.anchor for row in view_of(hostile()).services]
    assert all(
        set(a) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-")
        for a in anchors
    )
