"""Every message has a translation, with the same placeholders and the same code, and the program reads it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from string import Formatter

import pytest
from babel.messages.catalog import Message
from babel.messages.mofile import read_mo

from analyzer.language import ENGLISH, LANGUAGES
from tests.language.catalogues import is_translated, messages, po_path, read

OTHERS = [language for language in LANGUAGES if language != ENGLISH]
_CODE = re.compile(r"`[^`]+`")
_HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("language", OTHERS)
def test_every_message_is_translated_and_nothing_else(language: str) -> None:
    said = {_key(m) for m in messages() if m.id}
    known = {_key(m): m.string for m in read(language) if m.id}
    assert not sorted(said - known.keys()), "run `make messages` and translate"
    assert not sorted(known.keys() - said), "run `make messages`: these are said no more"
    assert not [key for key, text in known.items() if not all(_texts(text))], "no translation"


@pytest.mark.parametrize("language", OTHERS)
def test_placeholders_of_a_translation_are_those_of_the_message(language: str) -> None:
    wrong = [
        (m.id, text)
        for m in read(language)
        if m.id
        for text in _texts(m.string)
        if text and not any(_fields(text) == _fields(form) for form in _texts(m.id))
    ]
    assert not wrong


@pytest.mark.parametrize("language", OTHERS)
def test_code_in_a_translation_is_that_of_the_message(language: str) -> None:
    wrong = [
        (m.id, sorted(_code(m.id) ^ _code(m.string)))
        for m in read(language)
        if isinstance(m.id, str) and m.id and m.string
        if _code(m.id) != _code(m.string)
    ]
    assert not wrong


@pytest.mark.parametrize("language", OTHERS)
def test_what_a_command_follows_ends_as_in_the_message(language: str) -> None:
    """A remedy is told apart from its command by the `: ` or line end between them."""
    wrong = [
        (m.id, text)
        for m in read(language)
        for text in _texts(m.string)
        if text and any(_key(m).endswith(e) and not text.endswith(e) for e in (": ", ":\n", "\n"))
    ]
    assert not wrong


@pytest.mark.parametrize("language", OTHERS)
def test_what_the_program_reads_is_compiled_from_the_catalogue(language: str) -> None:
    with po_path(language).with_suffix(".mo").open("rb") as file:
        compiled = {_key(m): _texts(m.string) for m in read_mo(io.BytesIO(file.read())) if m.id}
    assert compiled == {
        _key(m): _texts(m.string) for m in read(language) if m.id and is_translated(m)
    }


def test_chinese_is_chinese() -> None:
    """Some messages hold field terms only; a catalogue of copies would be found out."""
    long = [m for m in read("zh") if isinstance(m.id, str) and len(m.id.split()) > 5]
    assert not [m.id for m in long if not _HAN.search(str(m.string))]


def _code(text: str) -> set[str]:
    return {" ".join(code.split()) for code in _CODE.findall(text)}


def _key(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _texts(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (text or "",) if isinstance(text, str | None) else tuple(text)


def _fields(text: str) -> set[str]:
    return set(_placeholders(text))


def _placeholders(text: str) -> Iterator[str]:
    if "`" in text or "\n## " in text:  # a page, which is not filled in
        return
    for _literal, name, spec, conversion in Formatter().parse(text):
        if name is not None:
            yield f"{name}!{conversion or ''}:{spec}"
