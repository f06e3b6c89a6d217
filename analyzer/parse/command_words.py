"""The words of a command line, and which of them are options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lark import Token, Tree

from analyzer.parse.boolean_flags import BOOLEAN_FLAGS
from analyzer.parse.fast_path import terminal_pattern
from analyzer.parse.go_quote import unquote
from analyzer.parse.grammar import load_grammar

_SEPARATORS = re.compile(r"[/\\]")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a command line, its quotes taken off."""

    text: str
    option: str = ""
    """Name without dashes where the word is an option."""

    value: str | None = None
    """What follows its `=`; None where it has none."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The words behind a program's name, sorted out."""

    options: tuple[tuple[str, str], ...]
    """Name without dashes and value of each option in order; a bare one is `true`."""

    arguments: tuple[str, ...]
    """Words that are neither an option nor its value."""

    @property
    def flags(self) -> dict[str, str]:
        """The options by name; of one that comes twice, the last."""
        return dict(self.options)


def split_words(line: str) -> list[Word]:
    """Return the words of a command line; any text has some reading."""
    tree = load_grammar("command_line").parse(line)
    return [_word(word) for word in tree.children if isinstance(word, Tree)]


def word_of_token(token: str) -> Word:
    """Return a word that is already apart: blanks and quotes belong to it."""
    option = terminal_pattern(load_grammar("command_line"), "OPTION").match(token)
    if option is None or token[option.end() : option.end() + 1] not in {"", "="}:
        return Word(token)
    value = token[option.end() + 1 :] if option.end() < len(token) else None
    return Word(token, option[0].lstrip("-"), value)


def sort_words(words: Sequence[Word]) -> CommandLine:
    """Tell options, their values and arguments apart; `--` ends the options.

    A word without a dash behind an option without `=` is its value, unless the option is known as boolean.
    """
    options: list[tuple[str, str]] = []
    arguments: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        following = words[index + 1] if index + 1 < len(words) else None
        index += 1
        if word.text == "--":
            arguments += [rest.text for rest in words[index:]]
            break
        if not word.option:
            arguments.append(word.text)
        elif word.value is not None:
            options.append((word.option, word.value))
        elif following and not following.option and word.option not in BOOLEAN_FLAGS:
            options.append((word.option, following.text))
            index += 1
        else:
            options.append((word.option, "true"))
    return CommandLine(tuple(options), tuple(arguments))


def program_name(word: str) -> str:
    """Return the last path component, without `.exe`."""
    return _SEPARATORS.split(word)[-1].removesuffix(".exe")


def _word(tree: Tree[Token]) -> Word:
    if tree.data == "argument":
        return Word(_text(tree))
    name = str(tree.children[0])
    values = [child for child in tree.children if isinstance(child, Tree)]
    if not values:
        return Word(name, name.lstrip("-"))
    value = _text(values[0])
    return Word(f"{name}={value}", name.lstrip("-"), value)


def _text(tree: Tree[Token]) -> str:
    return "".join(_unquoted(part) for part in tree.scan_values(lambda _: True))


def _unquoted(part: Token) -> str:
    match part.type:
        case "DOUBLE":
            return unquote(part)
        case "SINGLE":
            return part[1:-1]
    return str(part)
