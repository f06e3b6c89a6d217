"""The check `hairpin-mode-mismatch`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.check import check
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.log import LogEntry
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import NodeView

_FALLBACK = re.compile(
    r"Hairpin mode set to \"(?P<flag>[\w-]+)\"[ ,]+but .*"
    r"(?:falling back to \"(?P<effective>[\w-]+)\"|ignoring)"
)
_LOST = re.compile(r"Hairpin mode set to \"[\w-]+\" and configureCBR0 is true")
_INVALID = re.compile(r"option \"(?P<flag>[^\"]*)\" specified for hairpinMode")
_EFFECTIVE = re.compile(r"Hairpin mode set to \"(?P<mode>[\w-]+)\"\s*$")
_PORT_FAILED = re.compile(r"Hairpin setup failed for pod \"(?P<pod>[^\"]*)\"")


@check(
    station=Station.HAIRPIN,
    severity=Severity.WARNING,
    needs=(Input.KUBELET_LOG,),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#a-pod-fails-to-reach-itself-via-the-service-ip",
    ),
    advisory=True,
)
def hairpin_mode_mismatch(node: NodeView) -> Iterator[Problem]:
    """
    kubelet does not use the hairpin mode that its flag asks for.

    ## Why it matters
    Up to 1.23, kubelet set hairpin mode itself, and fell back when the flag did not fit the network. A
    pod may then not reach itself although the flag says so. This is a warning where kubelet ended without
    any hairpin mode or failed to set it, and advice where it fell back to one that serves.

    ## How to put it right
    Give kubelet a `--hairpin-mode` that fits: hairpin-veth with a plain bridge, promiscuous-bridge only with
    kubenet. From 1.24 on the flag has no effect: hairpin mode is the CNI plugin's (`hairpinMode`).

    ## Where it is silent
    When kubelet took a mode of the flag's name at its last start.
    """
    told = [(e, t) for e in node.kubelet_log for t in [_told(node, e)] if t is not None]
    if not told:
        return
    entry, message = told[-1]
    effective = _effective(node)
    later = effective is not None and effective[0].source > entry.source
    mode = effective[1] if effective is not None and later else ""
    fallback = _FALLBACK.search(entry.text)
    if fallback and mode == fallback["flag"]:
        return
    evidence = [Evidence(entry.source, _("kubelet's own words"))]
    if effective is not None and mode:
        evidence.append(Evidence(effective[0].source, _("the effective mode: {mode}", mode=mode)))
    yield Problem(
        message=message,
        evidence=tuple(evidence),
        remedy=_(
            "Set --hairpin-mode of kubelet on {node} to what the network supports, then "
            "see that the ports of the bridge have hairpin on: bridge -d link",
            node=node.name,
        ),
        severity=Severity.INFO if _serves(fallback, mode) else None,
    )


def _told(node: NodeView, entry: LogEntry) -> str | None:
    """Return what a line says about flag and effective mode, or None where it is about neither."""
    text = entry.text
    if "airpin" not in text:
        return None
    if fallback := _FALLBACK.search(text):
        effective = fallback["effective"]
        told = _("uses {effective}", effective=effective) if effective else _("ignores it")
        return _(
            "kubelet on {node} was told hairpin mode {fallback}, but {told}",
            node=node.name,
            fallback=fallback["flag"],
            told=told,
        )
    if _LOST.search(text):
        return _(
            "kubelet on {node} warns that hairpin packets may be lost with its flags",
            node=node.name,
        )
    if invalid := _INVALID.search(text):
        return _(
            "kubelet on {node} does not know hairpin mode {invalid}",
            node=node.name,
            invalid=invalid["flag"],
        )
    if failed := _PORT_FAILED.search(text):
        return _(
            "kubelet on {node} could not set hairpin mode for pod {failed}",
            node=node.name,
            failed=failed["pod"],
        )
    return None


def _effective(node: NodeView) -> tuple[LogEntry, str] | None:
    said = [(e, m["mode"]) for e in node.kubelet_log if (m := _EFFECTIVE.search(e.message))]
    return said[-1] if said else None


def _serves(fallback: re.Match[str] | None, mode: str) -> bool:
    """Tell whether kubelet ended with a mode in which pods reach themselves."""
    return fallback is not None and (mode or fallback["effective"] or "none") != "none"
