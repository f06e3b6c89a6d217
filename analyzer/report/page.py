"""What all HTML pages share: templates that escape every value, and a policy under which nothing else runs."""

from __future__ import annotations

import base64
import hashlib

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from analyzer.language import _, plural
from analyzer.phrases import listed
from analyzer.report.view_services import anchor_of
from analyzer.report.visible import HIDDEN, spell, visible
from analyzer.report.wording import SEVERITY_MARKS, STATUS_MARKS, VERDICT_MARKS
from analyzer.resources import resource_text


def page_environment() -> Environment:
    """Return the environment of the templates; texts are said in the language that is spoken."""
    environment = Environment(
        loader=FunctionLoader(lambda name: resource_text("templates", name)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {"marked": _marked, "listed": listed, "anchor": anchor_of}
    environment.globals |= {
        "_": _,
        "ngettext": plural,
        "status_marks": STATUS_MARKS,
        "verdict_marks": VERDICT_MARKS,
        "severity_marks": SEVERITY_MARKS,
    }
    return environment


def content_policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy: this style, this script, and nothing from anywhere."""
    return (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _finalize(value: object) -> object:
    """Make every text that a template prints visible, before it is escaped; markup is left alone."""
    return visible(value) if type(value) is str else value


def _marked(text: str) -> Markup:
    """Return a line of the bundle as markup in which hidden characters stand out as what they are."""
    pieces: list[Markup] = []
    position = 0
    for found in HIDDEN.finditer(text):
        pieces.append(escape(text[position : found.start()]))
        pieces.append(Markup('<span class="hidden-char">{}</span>').format(spell(found[0])))
        position = found.end()
    pieces.append(escape(text[position:]))
    return Markup("").join(pieces)
