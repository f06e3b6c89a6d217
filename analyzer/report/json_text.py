"""Documents of our own as JSON text, which any reader takes."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_TO_BE_ESCAPED = re.compile("[^\0-~]+")


def json_text(document: Any) -> str:  # noqa: ANN401 - a JSON document
    """Return a document as JSON in ASCII, indented by 2, with U+FFFD for what is no character."""
    try:
        data = msgspec.json.encode(document)
    except UnicodeEncodeError:
        data = msgspec.json.encode(_without_lone_surrogates(document))
    text = msgspec.json.format(data, indent=2).decode()
    if not text.isascii() or "\x7f" in text:
        text = _TO_BE_ESCAPED.sub(lambda found: json.dumps(found[0])[1:-1], text)
    return text + "\n"


def _without_lone_surrogates(value: Any) -> Any:  # noqa: ANN401 - a JSON document
    """Return the document with U+FFFD for what is no character: strict readers refuse it (RFC 8259, 8.2)."""
    match value:
        case str():
            return _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
        case dict():
            return {key: _without_lone_surrogates(item) for key, item in value.items()}
        case list() | tuple():
            return [_without_lone_surrogates(item) for item in value]
        case _:
            return value
