"""What looks like a credential in text, and `<removed N bytes>` in its place.

Names of Services, Secrets, files and flags stay: the analysis needs them, and a name is no credential.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from analyzer.collect.credential_shapes import (
    ASSIGNED,
    BLOCK,
    BOOTSTRAP_ID,
    CHANGE_OF_CLASS,
    HINT,
    NAME_BEFORE,
    NO_CREDENTIAL,
    PEM_BEGIN,
    PEM_END,
    RANDOM_RUN,
    RANDOM_SHARE,
    RANDOM_WORD,
    SENSITIVE_FLAG,
    SENSITIVE_NAME,
    SHAPES,
    STRONG,
    TOLD_PASSWORD,
    TOLD_SECRET,
    USER_INFO,
    WORD_OF_PROSE,
)

_CLIENT: Final = re.compile(r"(?:.*/)?(?:mysql|mariadb|mongo|sshpass|redis-cli)[\w-]*")
"""Programs that take a password as `-pPASSWORD` or `-p PASSWORD`; redis-cli as `-a PASSWORD`."""

_LINES_OF_KEY: Final = 130
"""Lines that a key may have: an RSA key of 8192 bits has 100. A log may lack the end of one."""

_ENTRY: Final = re.compile(r"[IWEF][0-9]{4} [0-9]{2}:")
"""How an entry of klog begins: no key goes on there."""

_PASSWORD_IN_FLAG: Final = re.compile(r"-p(?!assw|ort|rotocol)[^=<].*", re.DOTALL)


def removed(value: str) -> str:
    """Return what stands in the place of a value."""
    return f"<removed {len(value.encode('utf-8', 'surrogateescape'))} bytes>"


@lru_cache(1 << 14)
def names_credential(name: str) -> bool:
    """Tell whether the value of a field, variable or annotation of this name is taken for a credential."""
    return SENSITIVE_NAME.fullmatch(name.rpartition("/")[2]) is not None


def may_stand(value: str) -> bool:
    """Tell whether a value is none of a credential whatever its name: empty, a switch, a path, a reference."""
    return not value or NO_CREDENTIAL.fullmatch(value) is not None


def without_credentials(text: str) -> str:
    """Return text with everything that looks like a credential replaced by `<removed N bytes>`."""
    if _suspect(text):
        text = BLOCK.sub(_without_block, text)
        for shape in SHAPES:
            text = shape.sub(_without_value, text)
        text = ASSIGNED.sub(_without_assigned, text)
    return RANDOM_WORD.sub(_without_random, text) if RANDOM_RUN.search(text) else text


def arguments_without_credentials(arguments: Sequence[str]) -> list[str]:
    """Return the words of a command line without credentials, also where flag and value are two words."""
    kept: list[str] = []
    client = ""
    for index, word in enumerate(arguments):
        client = word if _CLIENT.fullmatch(word) else client
        flag = arguments[index - 1] if index else ""
        follows = SENSITIVE_FLAG.fullmatch(flag) is not None or flag == _short_flag(client)
        if follows and not word.startswith("-") and _is_given(flag, word):
            kept.append(removed(word))
        elif client and flag and _PASSWORD_IN_FLAG.fullmatch(word) and _short_flag(client) == "-p":
            kept.append(f"-p{removed(word[2:])}")
        else:
            kept.append(without_credentials(word))
    return kept


def _is_given(flag: str, word: str) -> bool:
    return not may_stand(word) and (flag not in {"-u", "--user"} or ":" in word)


def _short_flag(client: str) -> str | None:
    """Return the flag that a password follows, of a program that has such a flag."""
    return ("-a" if "redis" in client else "-p") if client else None


def line_cleaner() -> Callable[[str], str]:
    """Return a function that cleans the lines of one log in turn: a key may go over several of them."""
    left = 0

    def clean(line: str) -> str:
        nonlocal left
        if left and not _ENTRY.match(line):
            body, end, rest = line.partition(PEM_END)
            left = 0 if end else left - 1
            return _kept_break(body) + end + without_credentials(rest)
        begins = PEM_BEGIN in line and PEM_END not in line.rpartition(PEM_BEGIN)[2]
        left = _LINES_OF_KEY if begins else 0
        return without_credentials(line)

    return clean


def _suspect(text: str) -> bool:
    if HINT.search(text.lower()) or BOOTSTRAP_ID.search(text):
        return True
    return "@" in text and USER_INFO.search(text) is not None


def _kept_break(body: str) -> str:
    content = body.rstrip("\r\n")
    return (removed(content) if content.strip() else content) + body[len(content) :]


def _without_value(match: re.Match[str]) -> str:
    return _replaced(match, match.lastgroup or "value")


def _without_block(match: re.Match[str]) -> str:
    indent, value = match["indent"], match["value"]
    if value.lstrip().startswith("<removed "):
        return match[0]
    return f"{indent}{match['name']}{indent}  {removed(value)}\n"


def _without_assigned(match: re.Match[str]) -> str:
    form = next(name for name in ("escaped", "double", "single", "bare") if match[name] is not None)
    value, separator = match[form], match["separator"]
    before = match.string[max(0, match.start() - 81) : match.start()]
    start = NAME_BEFORE.search(before)
    name = (start[0] if start else "") + match["word"]
    if may_stand(value) or not _is_announced(match, name, value):
        return match[0]
    if form == "bare" and ":" in separator:
        # `shop/token:http` is a Service's port, `token: unauthorized` prose.
        path = before.removesuffix(name[: -len(match["word"])]).endswith("/")
        if (separator == ":" and path and not match["quote"]) or _is_prose(name, value):
            return match[0]
    return _replaced(match, form)


def _is_announced(match: re.Match[str], name: str, value: str) -> bool:
    """Tell whether what stands before a value is more than a word of a sentence."""
    separator = match["separator"].strip()
    if separator in {"", "is", "was", "of"}:
        certain = STRONG.search(match["word"]) and match["word"].lower() != "pass"
        told = TOLD_PASSWORD if certain else TOLD_SECRET
        return name.startswith("-") or told.fullmatch(value.replace(" ", "")) is not None
    return separator != "," or name.startswith("-")


def _without_random(match: re.Match[str]) -> str:
    run = max(RANDOM_RUN.findall(match[0]), key=len, default="")
    changes = len(CHANGE_OF_CLASS.findall(run))
    return removed(match[0]) if changes >= RANDOM_SHARE * (len(run) - 1) else match[0]


def _is_prose(name: str, value: str) -> bool:
    return not STRONG.search(name) and WORD_OF_PROSE.fullmatch(value) is not None


def _replaced(match: re.Match[str], group: str) -> str:
    value = match[group]
    if not value.strip() or value.startswith("<removed "):
        return match[0]
    start, end = match.start(group) - match.start(), match.end(group) - match.start()
    return match[0][:start] + removed(value) + match[0][end:]
