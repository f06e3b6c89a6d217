"""A remedy told apart into what to read and what to type."""

from __future__ import annotations

import re

from analyzer.language import _
from analyzer.report.markdown import Block, code_block, paragraph

_PROGRAMS = (
    "kubectl|iptables|ip6tables|iptables-save|ip6tables-save|iptables-restore|ip6tables-restore|nft"
    "|ipvsadm|ipset|ip|sysctl|systemctl|service|journalctl|modprobe|crictl|conntrack|ss|svcbundle"
    "|kubeadm|update-alternatives|ufw|firewall-cmd|bridge|apt-get|dnf|yum|apk|fuser|curl|timedatectl|chronyc"
)
_COMMAND = rf"(?:sudo )?(?:{_PROGRAMS}) [^\s,.;:].*"
_WHOLE = re.compile(_COMMAND)
_AT_END = re.compile(rf"(?P<prose>.*:) (?P<command>{_COMMAND})")
_PROSE = re.compile(r"[.;,)] [A-Za-z]|[.:,]$")
"""What a sentence has and a command of ours has not."""


def remedy_blocks(remedy: str) -> tuple[Block, ...]:
    """Return paragraphs, and a code block for each command: a line of its own, or a line's end after `: `."""
    blocks: list[Block] = []
    for line in filter(None, (line.strip() for line in remedy.split("\n"))):
        at_end = _AT_END.fullmatch(line)
        if _is_command(line):
            blocks.append(code_block(line))
        elif at_end and _is_command(at_end["command"]):
            blocks += [_prose(at_end["prose"]), code_block(at_end["command"])]
        else:
            blocks.append(_prose(line))
    return tuple(blocks)


def _prose(text: str) -> Block:
    """Return a paragraph; the colon by which it leads to a command is that of the language."""
    return paragraph(text[:-1] + _(":") if text.endswith(":") else text)


def _is_command(text: str) -> bool:
    return _WHOLE.fullmatch(text) is not None and _PROSE.search(text) is None
