"""The language in which people are spoken to: `_` and `plural` say a message, `speaking` chooses the language.

Standard gettext: the English message is the key, `locale/<language>/LC_MESSAGES/svcbundle.po` holds the others.
Slugs, JSON keys, commands and quoted lines are never translated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pkgutil import get_data

ENGLISH = "en"
LANGUAGES = (ENGLISH, "zh")
"""What `--lang` takes; English is what the code says and has no catalogue."""

_DOMAIN = "svcbundle"
_current: ContextVar[NullTranslations] = ContextVar("language", default=NullTranslations())  # noqa: B039 - it holds nothing that changes


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Say all messages in `language` inside of this block. Raises KeyError for one that is not in `LANGUAGES`."""
    token = _current.set(_catalogue(language))
    try:
        yield
    finally:
        _current.reset(token)


def _(message: str, /, **values: object) -> str:
    """Say `message`, a template with `{names}`, in the chosen language, filled in with `values`."""
    text = _current.get().gettext(message)
    return text.format_map(values) if values else text


def plural(one: str, many: str, count: int, /, **values: object) -> str:
    """Say `one` or `many` by what the language does with `count`, which both may name as `{count}`."""
    text = _current.get().ngettext(one, many, count)
    return text.format_map({"count": count, **values})


def spoken() -> str:
    """Return the tag of the language that is spoken, as HTML's `lang` takes it: `en`, `zh`."""
    return _current.get().info().get("language", ENGLISH).replace("_", "-")


def later(message: str, /) -> str:
    """Mark a message of a table or an enum for translation; who shows it says `_(message)`."""
    return message


@cache
def _catalogue(language: str) -> NullTranslations:
    if language not in LANGUAGES:
        raise KeyError(language)
    if language == ENGLISH:
        return NullTranslations()
    found = get_data("analyzer", f"locale/{language}/LC_MESSAGES/{_DOMAIN}.mo")
    assert found is not None
    return GNUTranslations(BytesIO(found))
