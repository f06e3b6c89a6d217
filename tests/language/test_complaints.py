"""What ends a command is said in the language that was asked for."""

from __future__ import annotations

import re

import pytest

from tests.bundles import sample
from tests.command_line import svcbundle

HEALTHY = str(sample("healthy"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("analyze", "nosuch.tgz"), "没有这个文件或目录"),
        (("analyze", __file__), "应为 tar 归档"),
        (("analyze", "--select", "nosuch", HEALTHY), "没有检查 nosuch"),
        (("analyze", "--service", "nosuch", HEALTHY), "应为 NAMESPACE/NAME"),
        (("analyze", "-o", "report.foo", HEALTHY), "请指定 --format"),
        (("explain", "nosuch"), "没有检查 'nosuch'"),
        (("trace", HEALTHY), "请给出 --from 和 --to"),
        (("diff", HEALTHY), "请给出 OLD 和 NEW 两个包"),
    ],
)
def test_a_complaint_is_in_chinese(words: tuple[str, ...], told: str) -> None:
    command, *others = words
    complaint = svcbundle(command, "--lang", "zh", *others).err
    complaint = complaint.replace(HEALTHY, "").replace(__file__, "")
    assert told in complaint
    assert not re.search(r"\b(?:is|no|not|expected|name|give|there)\b", complaint.partition("“")[0])
