"""What looks like a credential in text, and `<removed N bytes>` in its place.

Names of Services, Secrets, files and flags stay: the analysis needs them, and a name is no credential.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

_LABELS = r"(?:(?!//)[\w.\-]){0,80}?"
_WORDS = (
    r"(?:pass(?:word|wd|phrase|code)?|requirepass|masterauth|pwd|secret|token|credentials?|passkey"
    r"|(?:api|access|secret|private|auth|encryption|signing|master|account|storage|shared|client|ssh"
    r"|license|service|pre-?shared|webhook|subscription|hmac|deploy|integration|admin|app)"
    r"[-_.]?key(?:[-_.]?(?:id|data))?"
    r"|(?:client|tls)-key-data|certificate(?:-authority)?-data|connection[-_]?string|jws-kubeconfig-\w+)"
)
_SUFFIX = r"(?:[-_.]?(?:value|data|base64|b64|string|hash|[0-9]{1,3}))?"
_NAME = rf"{_LABELS}{_WORDS}{_SUFFIX}"

_SENSITIVE_NAME = re.compile(rf"[^\s=:]*?{_WORDS}{_SUFFIX}|authorization|cookie", re.IGNORECASE)
_SENSITIVE_FLAG = re.compile(rf"--?{_NAME}|-u|--user", re.IGNORECASE)

_HINTS = (
    *("pass", "pwd", "secret", "token", "key", "masterauth", "credential", "-data", "string"),
    *("bearer", "basic ", "authorization", "cookie", "-u ", "--user", "://", "-----begin", "eyj"),
    *("akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"),
    *("xox", "aiza", "ya29.", "k_live_"),
)
"""Without one of these in lower case, or the shape of a bootstrap token, text holds no credential."""

_BOOTSTRAP_ID = re.compile(r"\.[a-z0-9]{16}(?![\w-])")
_USER_INFO = re.compile(r"://[^\s/]*@")

_VALUE = (
    r"""\\+"(?P<escaped>.{0,4096}?)\\+"|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'"""
    r"""|(?P<bare>[^\s,;&"'\\)}\]]+)"""
)
_ASSIGNED = re.compile(
    rf"(?P<word>{_WORDS}{_SUFFIX})(?P<quote>\\*[\"']?)"
    rf"(?P<separator>[ \t]*(?:=>|:=|=|:)[ \t]*|(?<=[\w])[ \t]+(?=[^\s=:-]))(?:{_VALUE})",
    re.IGNORECASE,
)
_NAME_BEFORE = re.compile(r"[\w.\-]{0,80}\Z")
_BLOCK = re.compile(
    rf"^(?P<indent>[ \t]*)(?P<name>[\"']?{_NAME}[\"']?[ \t]*:[ \t]*[|>][-+0-9]*[ \t]*\n)"
    r"(?P<value>(?:(?P=indent)[ \t]+[^\n]*(?:\n|\Z)|[ \t]*\n)+)",
    re.IGNORECASE | re.MULTILINE,
)
_PEM_BEGIN, _PEM_END = "-----BEGIN ", "-----END "
_SHAPES: tuple[re.Pattern[str], ...] = (
    # Directives of a Corefile: `credentials USER PASSWORD`, `aws_access_key ID KEY`, `secret BASE64`.
    re.compile(
        r"^[ \t]*(?:(?:credentials|aws_access_key)[ \t]+(?P<value>[^\s{:=<][^\n{]*?)"
        r"|secret[ \t]+(?P<key>[\w+/]{12,}={0,2}))[ \t]*$",
        re.MULTILINE,
    ),
    re.compile(r"-----BEGIN [^-\n]{1,60}-----(?P<value>.*?)(?=-----END |\Z)", re.DOTALL),
    re.compile(r"(?P<value>\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)"),
    re.compile(
        r"""\b(?:Authorization|Cookie|Set-Cookie)\\*["']?[ \t]*[:=][ \t]*\[?\\*["']?"""
        r"""(?:(?:Bearer|Basic|Digest|Negotiate|Token|AWS4-HMAC-SHA256)[ \t]+)?"""
        r"""(?P<value>(?!Bearer\b|Basic\b|<removed)[^\s"'\\,{}\[\]][^"'\\\]\n]*)""",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:Bearer|Basic)[ \t]+(?P<value>(?=[^\s\"']*[0-9=._/+A-Z-])[\w.~+/=-]{8,})",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b[a-z][a-z0-9+.-]{1,20}://(?P<value>[^\s/@\"'<>]{1,256}(?::[^\s@\"'<>]{0,256})?)@(?!sha[0-9]+:)"
    ),
    re.compile(r"(?:^|(?<=[\s\"']))(?:-u|--user)[ =](?P<value>[^\s:\"'<>-][^\s:\"'<>]*:[^\s\"']+)"),
    re.compile(r"(?P<value>\b(?:AKIA|ASIA)[0-9A-Z]{16}\b)"),
    re.compile(r"(?P<value>\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}))"),
    re.compile(
        r"(?P<value>\b(?:xox[a-z]-[\w-]{8,}|AIza[\w-]{30,}|ya29\.[\w-]{16,}|[sr]k_live_\w{8,}))"
    ),
    # A bootstrap token, `abcdef.0123456789vwxyz0`, drawn at random of 36 characters. Names of Events end
    # in a hexadecimal number of 16 digits.
    re.compile(
        r"(?P<value>(?<![\w./-])[a-z0-9]{6}\.(?=[a-z]*[0-9])(?=[0-9a-f]*[g-z])[a-z0-9]{16}(?![\w-]|\.[a-z0-9]))"
    ),
)

_NO_CREDENTIAL = re.compile(
    r"""(?:true|false|yes|no|on|off|null|nil|none|<nil>|\**|x{3,}|redacted|data\+omitted|\.\.\.|[|>][-+]?
    |<removed\ \d+\ bytes>.*|<removed|\$[({].*|\{.*|\[.*|%!.*
    |(?:file://)?[.]{0,2}(?:/[\w.@-]+)+/?)""",
    re.IGNORECASE | re.VERBOSE,
)
"""Values that may stand: switches, references, paths of files, and what is removed already."""

_WORD_OF_PROSE = re.compile(r"[a-z]{1,14}[.:]?|[A-Z][a-z]+|[0-9]{1,5}|\(.*")
_STRONG = re.compile(r"pass|pwd|masterauth|-data", re.IGNORECASE)


def removed(value: str) -> str:
    """Return what stands in the place of a value."""
    return f"<removed {len(value.encode('utf-8', 'surrogateescape'))} bytes>"


@lru_cache(1 << 14)
def names_credential(name: str) -> bool:
    """Tell whether the value of a field, variable or annotation of this name is taken for a credential."""
    return _SENSITIVE_NAME.fullmatch(name.rpartition("/")[2]) is not None


def may_stand(value: str) -> bool:
    """Tell whether a value is none of a credential whatever its name: empty, a switch, a path, a reference."""
    return not value or _NO_CREDENTIAL.fullmatch(value) is not None


def without_credentials(text: str) -> str:
    """Return text with everything that looks like a credential replaced by `<removed N bytes>`."""
    if not _suspect(text):
        return text
    text = _BLOCK.sub(_without_block, text)
    for shape in _SHAPES:
        text = shape.sub(_without_value, text)
    return _ASSIGNED.sub(_without_assigned, text)


def arguments_without_credentials(arguments: Sequence[str]) -> list[str]:
    """Return the words of a command line without credentials, also where flag and value are two words."""
    kept: list[str] = []
    for index, word in enumerate(arguments):
        flag = arguments[index - 1] if index else ""
        follows = _SENSITIVE_FLAG.fullmatch(flag) is not None and not word.startswith("-")
        if follows and not may_stand(word) and (flag not in {"-u", "--user"} or ":" in word):
            kept.append(removed(word))
        else:
            kept.append(without_credentials(word))
    return kept


def line_cleaner() -> Callable[[str], str]:
    """Return a function that cleans the lines of one log in turn: a key may go over several of them."""
    in_key = False

    def clean(line: str) -> str:
        nonlocal in_key
        if in_key:
            ends = _PEM_END in line
            in_key = not ends
            body, end, rest = line.partition(_PEM_END)
            return _kept_break(body) + end + without_credentials(rest)
        in_key = _PEM_BEGIN in line and _PEM_END not in line.rpartition(_PEM_BEGIN)[2]
        return without_credentials(line)

    return clean


def _suspect(text: str) -> bool:
    lower = text.lower()
    for hint in _HINTS:
        if hint in lower and (hint != "://" or _USER_INFO.search(text)):
            return True
    return _BOOTSTRAP_ID.search(text) is not None


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
    start = _NAME_BEFORE.search(before)
    name = (start[0] if start else "") + match["word"]
    if may_stand(value) or (not separator.strip() and not name.startswith("-")):
        return match[0]
    if form == "bare" and ":" in separator:
        # `shop/token:http` is a Service's port, `token: unauthorized` prose.
        path = before.removesuffix(name[: -len(match["word"])]).endswith("/")
        if (separator == ":" and path and not match["quote"]) or _is_prose(name, value):
            return match[0]
    return _replaced(match, form)


def _is_prose(name: str, value: str) -> bool:
    return not _STRONG.search(name) and _WORD_OF_PROSE.fullmatch(value) is not None


def _replaced(match: re.Match[str], group: str) -> str:
    value = match[group]
    if not value.strip() or value.startswith("<removed "):
        return match[0]
    start, end = match.start(group) - match.start(), match.end(group) - match.start()
    return match[0][:start] + removed(value) + match[0][end:]
