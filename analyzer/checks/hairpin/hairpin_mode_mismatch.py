"""The check `hairpin-mode-mismatch`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.snapshot import NodeView

_FALLBACK = re.compile(
    r"Hairpin mode set to \"(?P<flag>[\w-]+)\"[ ,]+but .*"
    r"(?:falling back to \"(?P<effective>[\w-]+)\"|ignoring)"
)
_LOST = re.compile(r"Hairpin mode set to \"[\w-]+\" and configureCBR0 is true")
_INVALID = re.compile(r"option \"(?P<flag>[^\"]*)\" specified for hairpinMode")


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
    pod may then not reach itself although the flag says so.

    ## How to put it right
    Give kubelet a `--hairpin-mode` that fits: hairpin-veth with a plain bridge, promiscuous-bridge only with
    kubenet. From 1.24 on the flag has no effect: hairpin mode is the CNI plugin's (`hairpinMode`).
    """
    for entry in node.kubelet_log:
        text = entry.text
        fallback = _FALLBACK.search(text)
        if fallback is not None:
            effective = fallback["effective"]
            told = f"uses {effective}" if effective else "ignores it"
            message = f"kubelet on {node.name} was told hairpin mode {fallback['flag']}, but {told}"
        elif _LOST.search(text):
            message = (
                f"kubelet on {node.name} warns that hairpin packets may be lost with its flags"
            )
        elif (invalid := _INVALID.search(text)) is not None:
            message = f"kubelet on {node.name} does not know hairpin mode {invalid['flag']}"
        else:
            continue
        yield Problem(
            message=message,
            evidence=(Evidence(entry.source, "kubelet's own words"),),
            remedy=f"Set --hairpin-mode of kubelet on {node.name} to what the network supports, then check "
            "hairpin_mode of the bridge ports.",
        )
        return
