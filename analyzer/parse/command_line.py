"""Command lines of kube-proxy and kubelet: of processes, of containers, and as they log their own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from analyzer.language import _
from analyzer.model.log import LogEntry
from analyzer.model.node import Process
from analyzer.model.source import ParseProblem, SourceRef, split_lines
from analyzer.parse.command_words import (
    CommandLine,
    Word,
    program_name,
    sort_words,
    split_words,
    word_of_token,
)
from analyzer.parse.parsed import Parsed

_COMPONENTS = frozenset({"kube-proxy", "kubelet"})
_K3S = frozenset({"k3s", "k3s-server", "k3s-agent"})
_HOSTS = _K3S | {"kubelite", "hyperkube", "openshift-sdn-node"}
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "busybox"})
_TOOLS = frozenset(
    {
        "awk",
        "cat",
        "crictl",
        "docker",
        "egrep",
        "fgrep",
        "grep",
        "journalctl",
        "kubectl",
        "less",
        "more",
    }
    | {
        "nano",
        "pgrep",
        "ps",
        "rg",
        "runsv",
        "sed",
        "strace",
        "sudo",
        "supervise",
        "tail",
        "tee",
        "timeout",
    }
    | {"vi", "vim", "watch", "xargs"}
)
"""Programs whose command line names kube-proxy without being it."""

_HEADER = re.compile(r"\s*(?:[A-Z%]\S*\s+)*(?:COMMAND|CMD|ARGS)\s*")
_FOREST = frozenset({"\\_", "|", "`-", "├─", "└─"})
_SHELL_SYNTAX = re.compile(r"\d*[<>]|[;&|)]")
"""A redirection or the end of a command; what follows is not an option."""

_LOGGED = "FLAG: "
_SHOWN = 200


def parse_processes(path: str, text: str) -> Parsed[tuple[Process, ...]]:
    """Return the processes in the output of `ps` with any columns, or in command lines alone.

    A header alone is a whole answer: no such process ran. Left out are zombies, kernel threads and tools that
    only look for a process or wrap it (`grep kube-proxy`, `sh -c …`). A program that runs kube-proxy or kubelet
    inside itself is followed by a process of that name, whose `host` is the program.
    """
    processes: list[Process] = []
    problems: list[ParseProblem] = []
    columns = 0
    for number, line in enumerate(split_lines(text), 1):
        if _HEADER.fullmatch(line):
            columns = len(line.split()) - 1
        elif words := _command(line, columns):
            processes += _processes(words, SourceRef(path, number))
        elif line.strip():
            message = _("no program can be told on this line")
            problems.append(
                ParseProblem(path, number, 0, message, _("a line of ps"), line[:_SHOWN])
            )
    if not text.strip():
        message = _("the file is empty; ps prints at least a header")
        problems.append(ParseProblem(path, 1, 0, message, _("a header of ps"), ""))
    return Parsed(tuple(processes), tuple(problems))


def parse_flags(tokens: Sequence[str]) -> dict[str, str]:
    """Return the options of a container's command and args, or of any list of words.

    Of a shell's `-c` script the words behind the last kube-proxy or kubelet in it count. A word without a dash
    behind an option without `=` is its value, unless the option is known as boolean: there it is an argument.
    """
    for index in range(1, len(tokens) - 1):
        if tokens[index] == "-c" and program_name(tokens[index - 1]) in _SHELLS:
            return parse_flags(_last_command(tokens[index + 1]))
    return sort_words([word_of_token(token) for token in tokens]).flags


def flags_of_log(entries: Iterable[LogEntry]) -> dict[str, str]:
    """Return the options that kube-proxy or kubelet logs at its start: `FLAG: --name="value"` (-v=1 and more)."""
    flags: dict[str, str] = {}
    for entry in entries:
        if entry.message.startswith(_LOGGED):
            flags |= sort_words(split_words(entry.message.removeprefix(_LOGGED))).flags
    return flags


def _last_command(script: str) -> list[str]:
    words = [word.text for word in split_words(script)]
    starts = [i for i, word in enumerate(words) if program_name(word) in _COMPONENTS]
    command = words[starts[-1] + 1 :] if starts else words
    end = next((i for i, word in enumerate(command) if _SHELL_SYNTAX.match(word)), len(command))
    return command[:end]


def _command(line: str, columns: int) -> list[Word]:
    """Return the command line in a line of ps, program first; nothing where no program can be told.

    Behind a header the columns are counted. Without one the command begins at the first word that names a known
    program or is a path.
    """
    line = line.replace("\0", " ")
    if columns:
        fields = line.split(None, columns)
        words = split_words(fields[columns]) if len(fields) > columns else []
    else:
        words = split_words(line)
    for index, word in enumerate(words):
        if word.text in _FOREST:
            continue
        if columns or _begins_command(word.text):
            return words[index:]
    return []


def _begins_command(word: str) -> bool:
    known = _COMPONENTS | _HOSTS | _SHELLS | _TOOLS
    return program_name(word) in known or word.startswith(("/", "[")) or word[1:3] == ":\\"


def _processes(words: Sequence[Word], source: SourceRef) -> Iterator[Process]:
    program = program_name(words[0].text)
    command = sort_words(words[1:])
    shell_script = program in _SHELLS and "c" in command.flags
    if program in _TOOLS or shell_script or program.startswith("["):
        return
    yield Process(program, command.flags, command.arguments, source)
    for component, flags in _embedded(program, command):
        yield Process(component, flags, (), source, host=program)


def _embedded(program: str, command: CommandLine) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the components that a program runs in its own process, with their flags as far as they show."""
    first = command.arguments[0] if command.arguments else ""
    if program == "hyperkube" and first in {"proxy", "kube-proxy", "kubelet"}:
        yield "kubelet" if first == "kubelet" else "kube-proxy", command.flags
    elif program in _K3S and (program != "k3s" or first in {"server", "agent"}):
        if command.flags.get("disable-kube-proxy", "false") == "false":
            yield "kube-proxy", _passed_on(command, "kube-proxy-arg")
        if command.flags.get("disable-agent", "false") == "false":
            yield "kubelet", _passed_on(command, "kubelet-arg")
    elif program == "kubelite":
        yield "kube-proxy", {}
        yield "kubelet", {}
    elif program == "openshift-sdn-node":
        yield "kube-proxy", {}


def _passed_on(command: CommandLine, option: str) -> dict[str, str]:
    """Return the flags in k3s' `--kube-proxy-arg=name=value`, which may come many times."""
    passed = (value.partition("=") for name, value in command.options if name == option)
    return {name.lstrip("-"): value if equals else "true" for name, equals, value in passed}
