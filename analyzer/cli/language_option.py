"""The option `--lang`: the language of what people read, that of the locale where it is not given."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import click

from analyzer.language import ENGLISH, LANGUAGES, speaking

_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""The first one that is set decides, as in POSIX."""


def language_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--lang` and let it speak that language until it ends."""
    return click.option(
        "--lang",
        type=click.Choice(LANGUAGES),
        callback=_speak,
        expose_value=False,
        is_eager=True,
        help="Language of messages and reports [that of the locale].",
    )(command)


def language_of(environment: Mapping[str, str]) -> str:
    """Return the language that the variables of a locale ask for: `zh` for `zh_CN.UTF-8`; English for others."""
    locale = next(filter(None, map(environment.get, _VARIABLES)), "")
    language = locale.replace("-", "_").partition("_")[0].partition(".")[0].lower()
    return language if language in LANGUAGES else ENGLISH


def _speak(context: click.Context, _option: click.Parameter, value: str | None) -> None:
    context.with_resource(speaking(value or language_of(os.environ)))
