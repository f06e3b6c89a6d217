"""What the chain KUBE-POSTROUTING does with a packet by its mark, in every form from 1.2 to 1.36."""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.model.ruleset import Match, Rule

_MASQUERADING = {"MASQUERADE", "SNAT"}
_LEAVING = {"RETURN", "ACCEPT"}


def masquerades(rules: Iterable[Rule], mark: int) -> bool | None:
    """Tell whether a packet with the mark is masqueraded; None where something else than marks decides."""
    unknown = False
    for rule in rules:
        holds = _holds(rule.matches, mark)
        if holds is False:
            continue
        if rule.target in _LEAVING | _MASQUERADING:
            if holds is None or unknown:
                return None
            return rule.target in _MASQUERADING
        if rule.target == "MARK":
            mark = _marked(rule, mark)
        unknown = unknown or (holds is None and rule.target is not None)
    return None if unknown else False


def _holds(matches: Iterable[Match], mark: int) -> bool | None:
    """Tell whether all matches hold; None where one is about anything but the mark."""
    result: bool | None = True
    for match in matches:
        option = match.option("--mark")
        if match.name == "mark" and option is not None and len(match.options) == 1:
            value, mask = _bits(option.values[0])
            if ((mark & mask) == value) == option.negated:
                return False
        elif match.name != "comment" and match.options:
            result = None
    return result


def _marked(rule: Rule, mark: int) -> int:
    """Return the mark after `--set-xmark value/mask`: the bits of the mask are cleared, then value is XORed."""
    text = rule.value("--set-xmark")
    if text is None:
        return mark
    value, mask = _bits(text)
    return (mark & ~mask) ^ value


def _bits(text: str) -> tuple[int, int]:
    value, _, mask = text.partition("/")
    try:
        return int(value, 0), int(mask, 0) if mask else 0xFFFFFFFF
    except ValueError:
        return 0, 0
