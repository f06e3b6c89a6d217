"""The check `traffic-blocked`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from analyzer.check import check
from analyzer.commands import shell
from analyzer.language import _, later, plural
from analyzer.losses import Loss
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Rule, words_of
from analyzer.model.severity import Severity
from analyzer.model.source import Ref
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Part, Problem, Undecided, gathered
from analyzer.simulate.branch import Step
from analyzer.simulate.outcome import Cause, Verdict
from analyzer.snapshot import NodeView


@check(
    station=Station.PROXYING,
    severity=Severity.ERROR,
    needs=(Input.RULESET, Input.SERVICES, Input.ENDPOINT_SLICES, Input.PODS),
    consequence_of=("rules-hook-missing", "rules-absent", "kube-proxy-iptables-skew"),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-kube-proxy-working",
        "https://kubernetes.io/docs/reference/networking/virtual-ips/",
    ),
)
def traffic_blocked(node: NodeView) -> Iterator[Outcome]:
    """
    A rule that is not kube-proxy's drops or rejects connections to a Service, or lets them pass untranslated.

    ## Why it matters
    kube-proxy's rules are right, but another program's rule decides first, or after them.

    ## How to put it right
    Find out whose rule it is (its comment, its chain) and take it out there: it comes back when only the
    rule is deleted. Usual: firewalld, ufw, a security agent, a forgotten debugging rule. A policy other than
    that of FORWARD and rp_filter are told here too.

    ## How it is found out
    Every Service port is followed through the rulesets as the kernel executes them, from a pod and from
    the node itself, and node ports from outside. A rule that looks suspicious but decides nothing, such as a
    DROP on a cluster IP after its translation, is not reported.

    ## Where it is silent
    For what network policies refuse: the client that was tried may be one that they mean to keep out.
    """
    if node.unreachability:
        yield Undecided(reason=node.unreachability)
    policed = next((x for x in node.losses if x.step.chain.startswith(_OF_POLICIES)), None)
    if policed is not None:
        yield Undecided(
            reason=_(
                "a network policy (chain {chain}) keeps {service_port} from clients such as "
                "the one tried {origin}: whether it should is not evaluated",
                chain=policed.step.chain,
                service_port=policed.service_port,
                origin=policed.origin,
            )
        )
    by_rule: dict[Ref, list[Loss]] = {}
    for loss in node.losses:
        if _foreign(loss) and loss.step.source is not None:
            by_rule.setdefault(loss.step.source, []).append(loss)
    for rules in _by_program(by_rule):
        yield _problem(node, {source: by_rule[source] for source in rules})


def _problem(node: NodeView, by_rule: Mapping[Ref, Sequence[Loss]]) -> Problem:
    losses, *others = by_rule.values()
    first = _(
        "{node}: {step} decides over connections to Services",
        node=node.name,
        step=losses[0].step.text,
    )
    more = plural(
        "so does {count} more rule of the same program",
        "so do {count} more rules of the same program",
        len(others),
    )
    parts = [[_part(x, rule) for x in _one_each(found)] for rule, found in by_rule.items()]
    return gathered(
        f"{first}; {more}" if others else first,
        [part for rank in zip_longest(*parts) for part in rank if part is not None],
        remedy=_remedy(node, losses[0], by_rule),
        # A bundle may lack routing tables that the way back goes by.
        severity=Severity.WARNING if losses[0].cause is Cause.REVERSE_PATH else None,
    )


def _remedy(node: NodeView, loss: Loss, by_rule: Mapping[Ref, Sequence[Loss]]) -> str:
    match loss.cause:
        case Cause.POLICY:
            return _(
                "Find the program that set the policy of {chain} on {node}, and have it accept what "
                "Services need",
                chain=loss.step.chain,
                node=node.name,
            )
        case Cause.REVERSE_PATH:
            return _(
                "Correct the routes of {node}, so that an answer leaves by the interface that the "
                "packet came in by, or let rp_filter be 2 (loose) there",
                node=node.name,
            )
        case _:
            lines = [f"{source.path}:{getattr(source, 'line', 0)}" for source in by_rule]
            told = plural(
                "Find the program that made this rule on {node} and correct it there. To test, "
                "delete the rule ({lines}) and try again",
                "Find the program that made these rules on {node} and correct it there. To test, "
                "delete the rules ({lines}) and try again",
                len(by_rule),
                node=node.name,
                lines=listed(lines, 5),
            )
            commands = [c for found in by_rule.values() for c in _deletion(found[0].step)]
            return "\n".join((f"{told}:", *commands)) if commands else f"{told}."


def _deletion(step: Step) -> Iterator[str]:
    """Yield the command that deletes a rule of iptables; a comment of a stranger stays one word."""
    if isinstance(step.subject, Rule) and step.source is not None:
        ip6 = step.source.path.rpartition("/")[2].startswith("ip6")
        _append, *words = words_of(step.subject.text)
        yield shell("ip6tables" if ip6 else "iptables", "-t", step.table, "-D", *words)


def _by_program(by_rule: Mapping[Ref, Sequence[Loss]]) -> Iterator[list[Ref]]:
    """Yield the rules that one program seems to have made: of one comment, in one chain or table, or alike."""
    programs: list[tuple[set[str], list[Ref]]] = []
    for source, losses in by_rule.items():
        marks = set(_marks(losses[0].step))
        same = [p for p in programs if not marks.isdisjoint(p[0])]
        joined = (
            marks.union(*(m for m, _rules in same)),
            [*(r for _m, rules in same for r in rules), source],
        )
        programs = [p for p in programs if p not in same] + [joined]
    return (rules for _marks_of, rules in programs)


def _marks(step: Step) -> Iterator[str]:
    """Yield what a rule has in common with others of its program."""
    if not isinstance(step.subject, Rule):
        yield f"{step.table or step.text} {step.chain}"
        return
    comment = step.subject.value("--comment")
    if comment:
        yield f"comment {comment}"
    if step.chain not in _BUILT_IN:
        yield f"chain {step.chain}"
    yield _OF_PLACE.sub("", step.subject.text)


_BUILT_IN = frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})
_OF_PLACE = re.compile(r"^-A \S+ |(! )?-[io] \S+ ")
"""The parts of a rule that differ with the hook that it is for."""


def _foreign(loss: Loss) -> bool:
    """Tell whether a rule outside of kube-proxy's chains decided."""
    if loss.captured_by is not None or loss.step.chain.startswith("KUBE-"):
        return False
    if loss.step.chain.startswith(_OF_POLICIES):
        return False
    if loss.cause is Cause.POLICY:
        return loss.step.chain != "FORWARD"  # that one is a finding of its own
    return loss.cause in _DECIDING


_DECIDING = frozenset({Cause.RULE, None, Cause.NO_ROUTE, Cause.NO_SUCH_ADDRESS, Cause.REVERSE_PATH})


_OF_POLICIES = ("cali-", "WEAVE-NPC", "KUBE-POD-FW-", "KUBE-NWPLCY-")
"""Chains of network plugins that enforce NetworkPolicies (Calico, Weave Net, kube-router)."""

_TOLD = {
    Verdict.EXTERNAL: later("leaves the cluster untranslated"),
    Verdict.DROPPED: later("is dropped"),
    Verdict.REJECTED: later("is rejected"),
}


def _one_each(losses: Sequence[Loss]) -> list[Loss]:
    """Return one loss of each Service port."""
    return list({str(loss.service_port): loss for loss in losses}.values())


def _part(loss: Loss, source: Ref) -> Part:
    return Part(
        service=loss.service_port.service,
        text=_(
            "{service_port} at {destination} {origin} {end}",
            service_port=loss.service_port,
            destination=loss.destination,
            origin=loss.origin,
            end=_end(loss),
        ),
        evidence=(
            Evidence(
                source,
                _(
                    "decides over {destination}: {effect}",
                    destination=loss.destination,
                    effect=loss.step.effect,
                ),
            ),
        ),
    )


def _end(loss: Loss) -> str:
    return (
        _(_TOLD[loss.verdict])
        if loss.verdict in _TOLD
        else _("is {verdict}", verdict=loss.verdict.value)
    )
