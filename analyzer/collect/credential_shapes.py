"""Patterns of what looks like a credential: names of fields, words that announce one, values known by their form."""

from __future__ import annotations

import re
from typing import Final

_LABELS: Final = r"(?:(?!//)[\w.\-]){0,80}?"
_WORDS: Final = (
    r"(?:pass(?:words?|wd|phrase|code)?|requirepass|masterauth|pwd|(?:bind|root|user|admin|ldap|db)[-_.]?pw"
    r"|secret|tokens?|credentials?|creds|passkey|psk|dockerconfigjson|dockercfg|j?session[-_.]?id"
    r"|(?:api|access|secret|private|auth|encryption|signing|master|account|storage|shared|client|ssh"
    r"|license|service|pre-?shared|webhook|subscription|hmac|deploy|integration|admin|app|certificate|session"
    r"|unseal)[-_.]?key(?:[-_.]?(?:id|data))?"
    r"|(?:client|tls)-key-data|certificate(?:-authority)?-data|connection[-_]?string|jws-kubeconfig-\w+)"
)
_SUFFIX: Final = r"(?:[-_.]?(?:value|data|base|base64|b64|string|hash|id|[0-9]{1,3}))?"
_NAME: Final = rf"{_LABELS}{_WORDS}{_SUFFIX}"

SENSITIVE_NAME: Final = re.compile(
    rf"[^\s=:]*?{_WORDS}{_SUFFIX}|authorization|cookie", re.IGNORECASE
)
SENSITIVE_FLAG: Final = re.compile(rf"--?{_NAME}|-u|--user", re.IGNORECASE)

_HINTS: Final = (
    *("pass", "pwd", "pw=", "pw:", "secret", "token", "key", "masterauth", "credential", "psk"),
    *(
        "-data",
        "string",
        "dockerc",
        "session",
        "sig=",
        "signature=",
        "code=",
        "auth=",
        "auth ",
        '"auth',
    ),
    *(
        "-literal",
        "identified by",
        "bearer",
        "basic ",
        "authorization",
        "cookie",
        "creds",
        "-u ",
        "--user",
    ),
    *("mysql", "mariadb", "mongo", "redis-cli", "$2", "$1$", "$5$", "$6$", "$y$", "$apr1"),
    *(
        "$argon",
        "k10",
        "-----begin",
        "eyj",
        "ls0tls1crudjti",
        "h4si",
        "akia",
        "asia",
        "xox",
        "k_live_",
    ),
)
HINT: Final = re.compile("|".join(map(re.escape, _HINTS)))
"""Text that holds none of these in lower case, nor a word by its own form, holds no credential."""

BOOTSTRAP_ID: Final = re.compile(r"\.[a-z0-9]{16}(?![\w-])")
USER_INFO: Final = re.compile(r":[^\s\"'<>]*@")

_VALUE: Final = (
    r"""\\+"(?P<escaped>.{0,4096}?)\\+"|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'"""
    r"""|(?P<bare>[^\s,;&"'\\)}\]]+(?:[,;&"'\\)}\]]+(?=[^\s=:,"'{}\[\]\\]+(?:\s|\Z))[^\s=:,"'{}\[\]\\]+)?)"""
)
ASSIGNED: Final = re.compile(
    rf"(?P<word>{_WORDS}{_SUFFIX})(?P<quote>\\*[\"']?)"
    r"(?P<separator>[ \t]*(?:=>|:=|=|:|%3[ad])[ \t]*(?:\[[ \t]*(?=[\\\"'\w]))?"
    r"|(?<=[\w])[ \t]+(?:(?:is|was|of)[ \t]+)?(?=[^\s=:-])"
    r"|(?<=[\"'])[ \t]*,[ \t]*(?=\\*[\"'][^-]))"
    rf"(?:{_VALUE})",
    re.IGNORECASE,
)
NAME_BEFORE: Final = re.compile(r"[\w.\-]{0,80}\Z")
BLOCK: Final = re.compile(
    rf"^(?P<indent>[ \t]*)(?P<name>[\"']?{_NAME}[\"']?[ \t]*:[ \t]*[|>][-+0-9]*[ \t]*\n)"
    r"(?P<value>(?:(?P=indent)[ \t]+[^\n]*(?:\n|\Z)|[ \t]*\n)+)",
    re.IGNORECASE | re.MULTILINE,
)
PEM_BEGIN, PEM_END = "-----BEGIN ", "-----END "

RANDOM_RUN: Final = re.compile(
    r"(?<![A-Za-z0-9])(?=[A-Z0-9]*[a-z])(?=[a-z0-9]*[A-Z])(?=[A-Za-z]*[0-9])[A-Za-z0-9]{16,}"
)
"""Letters of both cases and digits without a break: a random word, or names written together."""

RANDOM_WORD: Final = re.compile(rf"[\w+=~-]{{0,64}}{RANDOM_RUN.pattern}[\w+=~-]*")
CHANGE_OF_CLASS: Final = re.compile(
    r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[a-z0-9])|(?<=[0-9])(?=[A-Za-z])"
)
RANDOM_SHARE: Final = 0.4
"""Share of neighbours in a run that are of different classes: 0.6 where it is random, 0.3 in `KubeProxyV1Alpha1`."""

SHAPES: Final[tuple[re.Pattern[str], ...]] = (
    # Directives of a Corefile: `credentials USER PASSWORD`, `aws_access_key ID KEY`, `secret BASE64`.
    re.compile(
        r"^[ \t]*(?:(?:credentials|aws_access_key)[ \t]+(?P<value>[^\s{:=<][^\n{]*?)"
        r"|secret[ \t]+(?P<key>[\w+/]{12,}={0,2}))[ \t]*$",
        re.MULTILINE,
    ),
    re.compile(r"-----BEGIN [^-\n]{1,60}-----(?P<value>.*?)(?=-----END |\Z)", re.DOTALL),
    # PEM in base64, and what begins as gzip does: releases of Helm, objects that k3s applied.
    re.compile(r"(?P<value>\b(?:LS0tLS1CRUdJTi|H4sI)[\w+/-]{16,}={0,2})"),
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
    # A password in an address may hold @ and /; `https://10.0.0.1:6443/a@b` has none.
    re.compile(
        r"\b[a-z][a-z0-9+.-]{1,20}://(?P<value>[^\s/\"'<>]{1,256}"
        r"|[^\s/@:\"'<>]{0,256}:(?![0-9]{1,5}[/?])[^\s@\"'<>]{0,256})@(?!sha[0-9]+:)"
    ),
    # `user:password@tcp(db:3306)` of Go, `user:password@proxy:3128`.
    re.compile(
        r"(?<![\w/@.:-])[A-Za-z_][\w.-]{0,40}:(?P<value>[^\s@/:\"'<>()]{3,128})"
        r"@(?=(?:tcp6?|unix|udp)\(|(?!sha[0-9]+:)[\w-]+\.[\w.-]*:[0-9]{2,5}\b)"
    ),
    re.compile(
        r"[?&](?:sig|code|auth|jwt|hmac|pw|(?:x-(?:amz|goog)-|sharedaccess)?(?:signature|credential))="
        r"(?P<value>[^&\s\"'<>]{6,})",
        re.IGNORECASE,
    ),
    re.compile(r"""["']auth\\*["'][ \t]*:[ \t]*\\*["'](?P<value>[\w+/]{8,}={0,2})"""),
    re.compile(r"(?:^|(?<=[\s\"']))(?:-u|--user)[ =](?P<value>[^\s:\"'<>-][^\s:\"'<>]*:[^\s\"']+)"),
    re.compile(
        r"--?[\w-]{0,40}auth[ =](?P<value>[^\s:\"'<>,/-][^\s:\"'<>,/]*:[^\s\"',/]+)(?![\w/])"
    ),
    re.compile(r"--from-literal[ =][\"']?[\w.-]+=(?P<value>[^\s\"'<]+)"),
    re.compile(r"\bidentified by[ \t]+\\*['\"](?P<value>[^'\"\n]+)", re.IGNORECASE),
    re.compile(r"<[\w.:-]*(?:password|passwd|secret|token)>(?P<value>[^<\n]+)<", re.IGNORECASE),
    # Clients that take a password as `-pPASSWORD`, `-p PASSWORD` or `-a PASSWORD`.
    re.compile(
        r"\b(?:mysql|mariadb|mongo|sshpass)[\w-]*[ \t](?:[^\n|;&]{0,120}?[ \t])?(?:-p|--pass)[ =]?"
        r"(?P<value>(?!assword)[^\s\"'<-][^\s\"']*)"
    ),
    re.compile(r"\bredis-cli[ \t](?:[^\n|;&]{0,120}?[ \t])?-a[ \t]+(?P<value>[^\s\"'<]+)"),
    re.compile(r"(?P<value>\$(?:2[abxy]?|apr1|[156y]|argon2\w{1,2})\$[\w./$=,+-]{16,})"),
    re.compile(r"\bK10[0-9a-f]{16,}::(?P<value>[^\s\"',]+)"),
    re.compile(r"(?P<value>\b(?:AKIA|ASIA)[0-9A-Z]{16}\b)"),
    re.compile(r"(?P<value>\b(?:xox[a-z]-[\w-]{8,}|[sr]k_live_\w{8,}))"),
    # A bootstrap token, `abcdef.0123456789vwxyz0`, drawn at random of 36 characters. Names of Events end
    # in a hexadecimal number of 16 digits.
    re.compile(
        r"(?P<value>(?<![\w./-])[a-z0-9]{6}\.(?=[a-z]*[0-9])(?=[0-9a-f]*[g-z])[a-z0-9]{16}(?![\w-]|\.[a-z0-9]))"
    ),
)
"""Values that are known by their form or by what announces them; what is replaced is the group that matched last."""

NO_CREDENTIAL: Final = re.compile(
    r"""(?:true|false|yes|no|on|off|null|nil|none|<nil>|\**|x{3,}|redacted|data\+omitted|\.\.\.|[|>][-+]?
    |<removed\ \d+\ bytes>.*|<removed|\$\([\w.-]+\)?|\$\{[\w.:-]+\}?|(?-i:\$[A-Z_][A-Z0-9_]*)
    |\{\{.*|[\[{]+|[\[{]+[A-Z]\w*:.*|%!.*
    |(?:file://)?[.]{0,2}(?:/[\w.@-]+)+/?)""",
    re.IGNORECASE | re.VERBOSE,
)
"""Values that may stand: switches, references, paths of files, and what is removed already."""

WORD_OF_PROSE: Final = re.compile(r"[a-z]{1,14}[.:]?|[A-Z][a-z]+|[0-9]{1,5}|\(.*")
STRONG: Final = re.compile(r"pass|pwd|masterauth|-data|psk", re.IGNORECASE)
TOLD_PASSWORD: Final = re.compile(r"(?=.*[0-9!#$%^&*_+@])[^\s/<>(){}\[\]]{4,}")
TOLD_SECRET: Final = re.compile(r"(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])[\w+=.~-]{8,}")
"""What follows the word by a blank only: prose and names of Secrets, which are in lower case, stay."""
