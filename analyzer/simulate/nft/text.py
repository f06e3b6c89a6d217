"""A rule of nft in nft's own words, as far as a reader needs them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

_SHOWN = 4
_LONGEST = 200


def rule_text(expressions: list[Any]) -> str:
    """Return the statements of a rule, shortened where sets are long."""
    text = " ".join(filter(None, (statement_text(item) for item in expressions)))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def value_text(item: Any) -> str:  # noqa: ANN401 - JSON
    """Return an expression or constant; what has an unexpected form is shown as it is."""
    if isinstance(item, str | int):
        return str(item)
    return _rendered(item, _VALUES)


def statement_text(item: Any) -> str:  # noqa: ANN401 - JSON
    """Return a statement; a counter or comment says nothing."""
    return _rendered(item, _STATEMENTS)


def _rendered(item: Any, renderers: Mapping[str, Callable[[Any], str]]) -> str:  # noqa: ANN401 - JSON
    if not isinstance(item, dict) or len(item) != 1:
        return json.dumps(item)
    ((kind, content),) = item.items()
    renderer = renderers.get(kind)
    try:
        if renderer is not None:
            return renderer(content)
        if renderers is _VALUES and isinstance(content, list):
            return f" {kind} ".join(map(value_text, content))
    except (AttributeError, KeyError, TypeError, ValueError):
        return json.dumps(item)
    return str(kind)


def _meta(content: Any) -> str:  # noqa: ANN401 - JSON
    key = str(content["key"])
    return key if key.endswith("ifname") else f"meta {key}"


def _connection(content: Any) -> str:  # noqa: ANN401 - JSON
    return " ".join(filter(None, ("ct", content.get("dir", ""), content["key"])))


def _fib(content: Any) -> str:  # noqa: ANN401 - JSON
    flags = content["flags"]
    listed = flags if isinstance(flags, list) else [flags]
    return f"fib {' . '.join(map(str, listed))} {content['result']}"


def _set(content: Any) -> str:  # noqa: ANN401 - JSON
    elements = content if isinstance(content, list) else [content]
    shown = ", ".join(map(_element, elements[:_SHOWN]))
    return f"{{ {shown}{', …' if len(elements) > _SHOWN else ''} }}"


def _element(item: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(item, list):
        key, value = item
        verdict = isinstance(value, dict) and value.keys() & _STATEMENTS.keys()
        return f"{value_text(key)} : {statement_text(value) if verdict else value_text(value)}"
    return value_text(item)


_VALUES: Mapping[str, Callable[[Any], str]] = {
    "payload": lambda c: f"{c['protocol']} {c['field']}",
    "meta": _meta,
    "ct": _connection,
    "fib": _fib,
    "concat": lambda c: " . ".join(map(value_text, c)),
    "prefix": lambda c: f"{c['addr']}/{c['len']}",
    "range": lambda c: "-".join(map(value_text, c)),
    "elem": lambda c: value_text(c["val"]),
    "set": _set,
    "numgen": lambda c: f"numgen {c['mode']} mod {c['mod']}",
    "map": lambda c: f"{value_text(c['key'])} map {value_text(c['data'])}",
}


def _match(content: Any) -> str:  # noqa: ANN401 - JSON
    sign = "" if content["op"] in {"==", "in"} else f"{content['op']} "
    return f"{value_text(content['left'])} {sign}{value_text(content['right'])}"


def _translation(name: str) -> Callable[[Any], str]:
    def render(content: Any) -> str:  # noqa: ANN401 - JSON
        address = f" to {value_text(content['addr'])}" if "addr" in (content or {}) else ""
        port = f":{value_text(content['port'])}" if "port" in (content or {}) else ""
        return f"{name}{address}{port}"

    return render


def _nothing(_content: Any) -> str:  # noqa: ANN401 - JSON
    return ""


_STATEMENTS: Mapping[str, Callable[[Any], str]] = {
    "match": _match,
    "vmap": lambda c: f"{value_text(c['key'])} vmap {value_text(c['data'])}",
    "jump": lambda c: f"jump {c['target']}",
    "goto": lambda c: f"goto {c['target']}",
    "mangle": lambda c: f"{value_text(c['key'])} set {value_text(c['value'])}",
    "reject": lambda c: f"reject with {c['type']} {c.get('expr', '')}".rstrip(),
    "set": lambda c: f"{c['op']} {c['set']} {{ {value_text(c['elem'])} }}",
    "dnat": _translation("dnat"),
    "snat": _translation("snat"),
    "masquerade": _translation("masquerade"),
    "redirect": _translation("redirect"),
    "drop": lambda _content: "drop",
    "accept": lambda _content: "accept",
    "return": lambda _content: "return",
    "counter": _nothing,
    "comment": _nothing,
}
