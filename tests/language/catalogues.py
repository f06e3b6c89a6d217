"""The messages of the program and their catalogues: `python -m tests.language.catalogues` brings `locale/` up to date.

A message that is new gets an empty translation, one that is gone is dropped, and each `.po` is compiled to the `.mo`
that the program reads. `tests/language/test_catalogues.py` says what is still to be translated.
"""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from analyzer.checks import catalogue
from analyzer.language import ENGLISH, LANGUAGES

ROOT = Path(__file__).parents[2]
_KEYWORDS = {"_": None, "later": None, "plural": (1, 2), "ngettext": (1, 2)}
_NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)
"""A catalogue changes with its messages, not with the day."""

_METHODS = {"analyzer": [("**.py", "python")], "templates": [("**.j2", "jinja2.ext.babel_extract")]}


def po_path(language: str) -> Path:
    """Return where the translations of a language are written."""
    return ROOT / "analyzer" / "locale" / language / "LC_MESSAGES" / "svcbundle.po"


def messages() -> Catalog:
    """Return every message of the code, the templates and the pages of checks, without translations."""
    found = Catalog(project="svcbundle", charset="utf-8", header_comment="")
    for folder, methods in _METHODS.items():
        for file, _line, message, _comments, _context in extract_from_dir(
            ROOT / folder, method_map=methods, keywords=_KEYWORDS
        ):
            found.add(message, locations=[(f"{folder}/{file}", None)])
    for check in catalogue():
        place = [(f"check {check.slug}", None)]
        found.add(check.summary, locations=place)
        found.add(check.documentation, locations=place)
    return found


def read(language: str) -> Catalog:
    """Return the catalogue of a language as it is on disk."""
    with po_path(language).open("rb") as file:
        return read_po(file, locale=language)


def is_translated(message: Message) -> bool:
    """Tell whether every form of a message has a text."""
    forms = message.string if isinstance(message.string, list | tuple) else [message.string]
    return all(forms)


def compiled(translations: Catalog) -> bytes:
    """Return the bytes of the `.mo` file, in which a message without translation stays English."""
    translated = Catalog(translations.locale, charset="utf-8", header_comment="")
    translated.creation_date = translated.revision_date = _NO_DATE
    for message in translations:
        if message.id and is_translated(message):
            translated.add(message.id, message.string)
    file = io.BytesIO()
    write_mo(file, translated)
    return file.getvalue()


def update(language: str) -> None:
    """Write the `.po` with all messages of today and the translations known, and its `.mo`."""
    path = po_path(language)
    known = {m.id: m.string for m in read(language) if m.id} if path.exists() else {}
    result = Catalog(language, project="svcbundle", charset="utf-8", header_comment="")
    result.creation_date = result.revision_date = _NO_DATE
    for message in messages():
        if message.id:
            result.add(message.id, known.get(message.id), locations=message.locations)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, result, width=100, sort_by_file=True, omit_header=False)
    path.with_suffix(".mo").write_bytes(compiled(result))


if __name__ == "__main__":
    for each in LANGUAGES:
        if each != ENGLISH:
            update(each)
            untranslated = sum(1 for m in read(each) if m.id and not is_translated(m))
            sys.stdout.write(f"{each}: {untranslated} messages without translation\n")
