"""A CoreDNS configuration (Corefile), read without regard to what its plugins mean.

Tolerant: braces that do not match, unknown plugins and unset variables lose nothing else. Format: caddyfile(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_REVERSE_ZONES = ("in-addr.arpa", "ip6.arpa")


@dataclass(frozen=True, slots=True)
class Directive:
    """One line of a Corefile with the block that it opens: a server block, a plugin or an option of one."""

    words: tuple[str, ...]
    """Zones of a server block; name and arguments of a plugin."""

    line: int
    """Line number from 1 within the Corefile."""

    body: tuple[Directive, ...] = ()
    braced: bool = False
    """True where a block follows, be it an empty one."""

    @property
    def name(self) -> str:
        """The first word."""
        return self.words[0]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The words after the first."""
        return self.words[1:]


@dataclass(frozen=True, slots=True)
class PluginUse:
    """A plugin in a server block."""

    server: Directive
    plugin: Directive

    @property
    def zones(self) -> tuple[str, ...]:
        """Zones of the server block, without scheme, port and closing dot; `.` for the root."""
        return tuple(_zone(word) for word in self.server.words)


@dataclass(frozen=True, slots=True)
class Corefile:
    """The server blocks of a Corefile."""

    servers: tuple[Directive, ...]
    snippets: dict[str, Directive]
    """Blocks `(name) { … }` that `import name` stands for."""

    def uses(self, plugin: str) -> Iterator[PluginUse]:
        """Yield each use of a plugin, in order, those in imported snippets included."""
        for server in self.servers:
            for directive in self._plugins(server):
                if directive.name == plugin:
                    yield PluginUse(server, directive)

    def _plugins(self, server: Directive) -> Iterator[Directive]:
        for directive in server.body:
            imported = self.snippets.get(directive.words[-1])
            if directive.name == "import" and imported is not None:
                yield from imported.body
            else:
                yield directive


def read_corefile(text: str) -> Corefile:
    """Return the server blocks of a Corefile; whatever the text is, it never raises."""
    directives = _directives(text)
    snippets = {d.name[1:-1]: d for d in directives if d.name.startswith("(")}
    servers = tuple(d for d in directives if not d.name.startswith("(") and d.name != "import")
    if servers and not servers[0].braced:
        # A single server block may do without braces: its zones, then its plugins.
        first = servers[0]
        servers = (Directive(first.words, first.line, servers[1:]),)
    return Corefile(servers, snippets)


def cluster_zones(corefile: Corefile) -> tuple[str, ...]:
    """Return the zones in which CoreDNS answers for Services: those of the plugin `kubernetes`, not the reverse ones.

    Without arguments they are the zones of its server block.
    """
    zones = (
        _zone(word)
        for use in corefile.uses("kubernetes")
        for word in use.plugin.arguments or use.server.words
    )
    forward = (z for z in zones if not z.endswith(_REVERSE_ZONES) and "/" not in z)
    return tuple(dict.fromkeys(forward))


def answers_for(corefile: Corefile, domain: str) -> bool:
    """Tell whether CoreDNS does more about names in a cluster domain than to pass them on.

    It serves Services in just this domain or everywhere, rewrites its names, or has another server block for it.
    """
    wanted = _zone(domain)
    served = cluster_zones(corefile)
    serving = [use.server for use in corefile.uses("kubernetes")]
    others = {_zone(w) for s in corefile.servers if s not in serving for w in s.words} - {"."}
    rewritten = any(
        wanted in argument.replace("\\", "").lower()
        for use in corefile.uses("rewrite")
        for argument in use.plugin.arguments
    )
    elsewhere = any(wanted == zone or wanted.endswith(f".{zone}") for zone in others)
    return wanted in served or "." in served or rewritten or elsewhere


@dataclass(slots=True)
class _Open:
    """A directive whose block is being read."""

    words: tuple[str, ...]
    line: int
    body: list[Directive] = field(default_factory=list)

    def close(self) -> Directive:
        return Directive(self.words, self.line, tuple(self.body), braced=True)


def _directives(text: str) -> tuple[Directive, ...]:
    top = _Open((), 0)
    stack = [top]
    pending: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = _words(line)
        if words and words[0] == "}":
            if len(stack) > 1:
                closed = stack.pop().close()
                stack[-1].body.append(closed)
            continue
        continued = bool(words) and words[-1].endswith(",")
        opens = bool(words) and words[-1] == "{"
        pending += [bare for w in words[: -1 if opens else None] if (bare := w.strip(","))]
        if continued or not pending:
            continue
        if opens:
            stack.append(_Open(tuple(pending), number))
        else:
            stack[-1].body.append(Directive(tuple(pending), number))
        pending = []
    while len(stack) > 1:
        closed = stack.pop().close()
        stack[-1].body.append(closed)
    return tuple(top.body)


def _words(line: str) -> list[str]:
    words: list[str] = []
    for found in _TOKEN.finditer(line):
        if found[2] is not None and found[2].startswith("#"):
            break
        words.append(found[1] if found[2] is None else found[2])
    return words


def _zone(word: str) -> str:
    bare = word.rpartition("://")[2]
    host = bare.partition(":")[0] if bare.count(":") <= 1 else bare
    return host.rstrip(".").lower() or "."
