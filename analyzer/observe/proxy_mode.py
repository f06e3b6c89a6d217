"""Which mode a node's kube-proxy is in, and how that is known.

The running process's own words come first (/proxyMode, the log, /configz), then what it was told to be, then the
state that is in force in the kernel, then what the cluster has configured. kube-proxy 1.8 to 1.25 falls back from
ipvs to iptables, so what it was told is not always what it does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.node import Document
from analyzer.model.source import Ref
from analyzer.observe.evidence import CONFIGZ, ProxyEvidence
from analyzer.observe.kernel_state import mode_in_force, mode_of_remains
from analyzer.observe.replacement import replacement_of

_MODES = {
    "iptables": ProxyMode.IPTABLES,
    "ipvs": ProxyMode.IPVS,
    "userspace": ProxyMode.USERSPACE,
    "nftables": ProxyMode.NFTABLES,
    "kernelspace": ProxyMode.WINDOWS,
}
_CHOSEN = re.compile(
    r"Using (?P<mode>iptables|ipvs|userspace|nftables|kernelspace) [Pp]rox(?:ier|y)\b"
)
_AT_WORK = re.compile(
    r"(?:Syncing|Not syncing|Reloading service) (?P<mode>iptables|ipvs|nftables)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ToldMode:
    """A mode with the line that tells it."""

    mode: ProxyMode
    source: Ref | None


def mode_of(evidence: ProxyEvidence) -> ToldMode:
    """Return the mode; UNKNOWN where nothing tells it or only contradictory state does."""
    node = evidence.node
    if node is not None and node.windows:
        return ToldMode(ProxyMode.WINDOWS, node.ref)
    return next(
        (told for told in (tell(evidence) for tell in _TELLERS) if told is not None), _UNKNOWN
    )


def _answered(evidence: ProxyEvidence) -> ToldMode | None:
    mode = _MODES.get((evidence.mode_file or "").strip().lower())
    return None if mode is None else ToldMode(mode, evidence.mode_file_ref)


def _logged(evidence: ProxyEvidence) -> ToldMode | None:
    """Return the mode of the last start, else of the last work, that the log shows.

    A log that begins later than the process says nothing about the start.
    """
    for pattern in (_CHOSEN, _AT_WORK):
        for entry in reversed(evidence.log):
            found = pattern.search(entry.message) if "ing " in entry.message else None
            if found is not None:
                return ToldMode(_MODES[found["mode"].lower()], entry.source)
    return None


def _running_configuration(evidence: ProxyEvidence) -> ToldMode | None:
    document = evidence.configz
    if document is None or not isinstance(document.find(CONFIGZ), dict):
        return None
    return _configured(document, CONFIGZ, default=ProxyMode.IPTABLES)


def _replaced(evidence: ProxyEvidence) -> ToldMode | None:
    if evidence.alive:
        return None
    source = replacement_of(evidence)
    return None if source is None else ToldMode(ProxyMode.REPLACED, source)


def _told(evidence: ProxyEvidence) -> ToldMode | None:
    """Return the mode that is written on the command line or in the configuration file."""
    flags = evidence.command_line
    if flags is not None and not flags.configured_by_file:
        mode = _MODES.get(flags.values.get("proxy-mode", ""))
        return None if mode is None else ToldMode(mode, flags.source)
    return None if evidence.config_file is None else _configured(evidence.config_file)


def _in_force(evidence: ProxyEvidence) -> ToldMode | None:
    found = mode_in_force(evidence.rulesets, evidence.nft_ruleset)
    return None if found is None else ToldMode(found.mode, found.source)


def _default(evidence: ProxyEvidence) -> ToldMode | None:
    """Return iptables, the default of Linux since 1.2, for a kube-proxy that was told no mode."""
    flags = evidence.command_line
    if flags is not None and not flags.configured_by_file:
        unset = not flags.values.get("proxy-mode")
        return ToldMode(ProxyMode.IPTABLES, flags.source) if unset else None
    document = evidence.config_file
    return None if document is None else _configured(document, default=ProxyMode.IPTABLES)


def _cluster_wide(evidence: ProxyEvidence) -> ToldMode | None:
    document = evidence.config_map
    return None if document is None else _configured(document, default=ProxyMode.IPTABLES)


def _left(evidence: ProxyEvidence) -> ToldMode | None:
    found = mode_of_remains(evidence.rulesets, evidence.nft_ruleset)
    return None if found is None else ToldMode(found.mode, found.source)


_UNKNOWN = ToldMode(ProxyMode.UNKNOWN, None)
_TELLERS: tuple[Callable[[ProxyEvidence], ToldMode | None], ...] = (
    _answered,
    _logged,
    _running_configuration,
    _replaced,
    _told,
    _in_force,
    _default,
    _cluster_wide,
    _left,
)
"""The strongest first."""


def _configured(
    document: Document, *path: str, default: ProxyMode | None = None
) -> ToldMode | None:
    """Return the `mode` of a KubeProxyConfiguration; an empty or absent one stands for the default."""
    if not isinstance(document.content, dict):
        return None
    value = document.find(*path, "mode")
    mode = (
        _MODES.get(value.strip().lower(), None if value.strip() else default)
        if isinstance(value, str)
        else default
    )
    return None if mode is None else ToldMode(mode, document.ref.at(*path, "mode"))
