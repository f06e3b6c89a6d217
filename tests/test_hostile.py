"""Damaged and hostile bundles through the whole program: a clear message, the right status, no false cause."""

from __future__ import annotations

import io
import json
import random
import re
import shlex
import tarfile
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzer.bundle.reader import open_bundle
from analyzer.findings import Report
from analyzer.model.severity import Severity
from analyzer.pipeline import Question, analyse
from tests.bundles import ROOT, files_of, laid_out, packed, sample
from tests.command_line import Ran, svcbundle

STOPPED = files_of("kube-proxy-stopped")
NO_PODS = files_of("selector-no-match")
UNNUMBERED = {path: data for path, data in STOPPED.items() if path != "manifest.json"}
"""Without the manifest, whose sums would tell each change."""

NOT_PLAIN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
"""What must not reach a terminal: all controls but the line feed, and what turns the text around."""


def analysed(bundle: Path, *words: object) -> Ran:
    ran = svcbundle("analyze", bundle, "-q", *words)
    assert ran.status != 4, ran.err
    assert "Traceback" not in ran.err
    assert NOT_PLAIN.search(ran.err) is None
    return ran


# --- inputs that are no bundle, or not all of one ---


def no_bundle(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "input.tgz"
    whole = sample("kube-proxy-stopped").read_bytes()
    match kind:
        case "empty file":
            path.write_bytes(b"")
        case "empty directory":
            path.mkdir()
        case "other directory":
            laid_out(path, {"README.md": b"hello", "src/main.c": b"int main;"})
        case "text":
            path.write_bytes(b"hello\n" * 1000)
        case "binary":
            path.write_bytes(random.Random(1).randbytes(5000))
        case "empty archive":
            packed(path, {})
        case "archive of other things":
            packed(path, {"README.md": b"hello"})
        case "cut within the first member":
            path.write_bytes(whole[:200])
        case "gzip header alone":
            path.write_bytes(whole[:10])
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "absent",
        "empty file",
        "empty directory",
        "other directory",
        "text",
        "binary",
        "empty archive",
        "archive of other things",
        "cut within the first member",
        "gzip header alone",
    ],
)
@pytest.mark.parametrize("command", ["analyze", "validate", "show"])
def test_what_is_no_bundle_is_refused_in_one_line(tmp_path: Path, kind: str, command: str) -> None:
    path = no_bundle(tmp_path, kind)
    ran = svcbundle(command, path)
    assert (ran.status, ran.out) == (3, "")
    assert ran.err.startswith(f"svcbundle: {path}: ")
    assert ran.err.count("\n") == 1
    assert re.search("expected a (bundle|tar archive)", ran.err)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_of_a_truncated_archive_the_rest_is_analysed(tmp_path: Path, part: float) -> None:
    path = tmp_path / "cut.tgz"
    whole = sample("kube-proxy-stopped").read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    report = json.loads(analysed(path, "--format", "json").out)
    damage = [f for f in report["findings"] if f["check"].startswith("bundle-entry")]
    assert any("cut" in f["message"] or "ends" in f["message"] for f in damage), damage
    roots = {
        f["check"] for f in report["findings"] if f["severity"] == "error" and not f["causedBy"]
    }
    assert roots <= {
        "kube-proxy-not-running",
        "selector-matches-no-pods",
        "bundle-entry-unreadable",
    }


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("../../etc/passwd", tarfile.REGTYPE, ""),
        ("/etc/passwd", tarfile.REGTYPE, ""),
        (f"{ROOT}/nodes/node-a/resolv.conf2", tarfile.SYMTYPE, "/etc/resolv.conf"),
        (f"{ROOT}/nodes/node-a/resolv.conf2", tarfile.SYMTYPE, "../../../../etc/resolv.conf"),
        (f"{ROOT}/nodes/node-a/resolv.conf2", tarfile.LNKTYPE, "/etc/resolv.conf"),
        (f"{ROOT}/nodes/node-a/sysctl2", tarfile.FIFOTYPE, ""),
        (f"{ROOT}/nodes/node-a/sysctl2", tarfile.CHRTYPE, ""),
        (f"{ROOT}/nodes/\x1b[2Jnode/sysctl.txt", tarfile.REGTYPE, ""),
    ],
    ids=["parent", "absolute", "link out", "link up", "hard link", "fifo", "device", "escape"],
)
def test_a_member_that_leads_out_is_refused_and_told(
    tmp_path: Path, name: str, kind: bytes, target: str
) -> None:
    path = packed(tmp_path / "b.tgz", STOPPED)
    with tarfile.open(path) as archive:
        members = [(m, archive.extractfile(m)) for m in archive]
        with tarfile.open(tmp_path / "hostile.tgz", "w:gz") as hostile:
            for member, content in members:
                hostile.addfile(member, content)
            bad = tarfile.TarInfo(name)
            bad.type, bad.linkname = kind, target
            hostile.addfile(bad, io.BytesIO())
    ran = analysed(tmp_path / "hostile.tgz", "--format", "json")
    report = json.loads(ran.out)
    (found,) = [f for f in report["findings"] if f["check"] == "bundle-entry-unsafe"]
    assert "refused" in found["message"]
    assert "kube-proxy-not-running" in {f["check"] for f in report["findings"]}
    text = analysed(tmp_path / "hostile.tgz")
    assert NOT_PLAIN.search(text.out) is None


def test_links_out_of_a_directory_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("nameserver 192.0.2.66\n")
    root = laid_out(tmp_path / "b", UNNUMBERED)
    (root / "nodes/node-a/resolv.conf").unlink()
    (root / "nodes/node-a/resolv.conf").symlink_to(tmp_path / "secret")
    ran = analysed(root, "-v")
    assert "refused" in ran.out
    assert "192.0.2.66" not in ran.out


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-member-bytes", 20_000),
        ("--max-total-bytes", 300_000),
        ("--max-members", 5),
        ("--max-path-length", 60),
    ],
)
def test_a_limit_names_the_option_that_raises_it(tmp_path: Path, option: str, value: int) -> None:
    path = packed(tmp_path / "b.tgz", UNNUMBERED)
    assert option in analysed(path, option, value).out
    assert option in svcbundle("validate", path, option, value).out


def test_a_bomb_is_left_off_early(tmp_path: Path) -> None:
    bomb = {**UNNUMBERED, "nodes/node-a/conntrack.txt": bytes(150 << 20)}
    ran = analysed(packed(tmp_path / "bomb.tgz", bomb), "--max-ratio", 2)
    assert "--max-ratio" in ran.out


# --- text ---

KINDS_OF_FILE = sorted({path.split("/")[-1]: path for path in UNNUMBERED}.values())


@pytest.mark.parametrize("path", KINDS_OF_FILE)
def test_bytes_that_are_no_utf_8_make_no_error(tmp_path: Path, path: str) -> None:
    lines = UNNUMBERED[path].split(b"\n")
    lines[len(lines) // 2] += b" \xff\xfe\xc3 "
    assert_no_new_error(tmp_path, path, b"\n".join(lines))


@pytest.mark.parametrize("path", KINDS_OF_FILE)
def test_a_file_that_holds_something_else_makes_no_error(tmp_path: Path, path: str) -> None:
    assert_no_new_error(tmp_path, path, b"Error from server (Forbidden): you may not\n")
    assert_no_new_error(tmp_path, path, b"")


@pytest.mark.parametrize(
    "path",
    [
        "nodes/node-a/iptables-save.txt",
        "nodes/node-a/kube-proxy.log",
        "nodes/node-a/resolv.conf",
        "nodes/node-a/sysctl.txt",
        "nodes/node-a/processes.txt",
        "nodes/node-a/hairpin.txt",
        "nodes/node-a/ip-rule.txt",
    ],
)
def test_a_line_of_a_million_characters_is_read_in_seconds(tmp_path: Path, path: str) -> None:
    for line in (b"x" * 1_000_000, b'"' * 1_000_000, b"-A" * 500_000, b"1" * 1_000_000):
        ran = assert_no_new_error(tmp_path, path, UNNUMBERED[path] + line + b"\n")
        assert len(ran.out) < 50_000


def test_a_json_string_of_a_million_characters_is_read_in_seconds(tmp_path: Path) -> None:
    pods = json.loads(UNNUMBERED["cluster/pods.json"])
    pods["items"][0]["metadata"]["annotations"] = {"note": "x" * 1_000_000}
    assert_no_new_error(tmp_path, "cluster/pods.json", json.dumps(pods).encode())


@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
def test_json_of_any_depth_is_refused_by_its_place(tmp_path: Path, bracket: bytes) -> None:
    services = UNNUMBERED["cluster/services.json"]
    deep = services.replace(b'"spec": {', b'"spec": {"x": ' + bracket * 100_000, 1)
    ran = assert_no_new_error(tmp_path, "cluster/services.json", deep)
    assert "cluster/services.json" in ran.out


def assert_no_new_error(tmp_path: Path, path: str, content: bytes) -> Ran:
    """A damaged file takes away, and adds no root error but about the bundle or from what it holds itself."""
    bundle = laid_out(tmp_path / "b", {**UNNUMBERED, path: content})
    ran = analysed(bundle)
    assert ran.status in {0, 1}
    assert NOT_PLAIN.search(ran.out) is None
    new = root_errors(reported(bundle)) - BEFORE
    assert not {slug for slug, quoted in new if path not in quoted}, (path, new)
    return ran


# --- values of another type ---

JSON_DUMPS = [
    f"cluster/{kind}.json" for kind in ("services", "pods", "endpointslices", "nodes", "endpoints")
]
OTHERS: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**70,
    1.5,
    "",
    "\x1b[2J",
    [],
    {},
    [None],
    ["a"],
    {"a": {}},
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container with each of its keys or positions."""
    keys: Any = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    path=st.sampled_from(JSON_DUMPS), number=st.integers(0, 10_000), other=st.sampled_from(OTHERS)
)
def test_a_value_of_another_type_is_told_by_file_and_path_and_makes_no_false_cause(
    tmp_path_factory: pytest.TempPathFactory, path: str, number: int, other: Any
) -> None:
    document = json.loads(UNNUMBERED[path])
    found = list(places(document["items"]))
    container, key = found[number * 7919 % len(found)]
    container[key] = other
    bundle = tmp_path_factory.mktemp("typed")
    laid_out(bundle, {**UNNUMBERED, path: json.dumps(document, indent=4).encode()})
    report = reported(bundle)
    unread = [e for e in report.findings if e.check.slug == "bundle-entry-unreadable"]
    for finding in unread:
        assert re.search(rf"{path}:\d+:\d+: .*\$?", finding.problem.message), (
            finding.problem.message
        )
    assert_from_the_file_itself(report, path)


def assert_from_the_file_itself(report: Report, path: str) -> None:
    new = root_errors(report) - BEFORE
    assert not {slug for slug, quoted in new if path not in quoted}, new


def test_one_object_that_does_not_fit_is_named_and_the_others_are_judged(tmp_path: Path) -> None:
    dump = json.loads(NO_PODS["cluster/pods.json"])
    lost = next(p for p in dump["items"] if p["metadata"]["name"].startswith("web-"))
    lost["status"]["podIP"] = 7
    files = {**NO_PODS, "cluster/pods.json": json.dumps(dump, indent=4).encode()}
    del files["manifest.json"]
    report = reported(laid_out(tmp_path, files))
    (unread,) = [f for f in report.findings if f.check.slug == "bundle-entry-unreadable"]
    place = (
        r"cluster/pods\.json:\d+:\d+: a value of type int \(at \$\.items\[\d+\]\.status\.podIP, "
    )
    assert re.match(place + r"expected str \| null\)", unread.problem.message)
    assert ("selector-matches-no-pods", "default/hostnames") in {
        (f.check.slug, str(f.problem.service)) for f in report.findings
    }
    assert "endpoints-stale" not in {f.check.slug for f in report.findings}
    gaps = {(g.check.slug, str(g.service)) for g in report.not_evaluated}
    assert ("target-port-quoted-number", "shop/web") in gaps
    assert ("target-port-quoted-number", "default/hostnames") not in gaps


# --- names ---

NAMES = {
    "escape": "\x1b]0;owned\x07\x1b[2J",
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "turned around": "a\u202etxt.exe\u2066",
    "line feed": "one\ntwo\rthree\ttab",
    "long": "n" * 253,
    "shell": "$(reboot)`reboot`;reboot|reboot&reboot 'x' \"y\" # !!",
    "option": "--force",
    "surrogate": "\udcff\ud800",
    "template": "{{ 7*7 }}{% raw %}",
    "separator": "a/b:c@d",
}


def renamed(name: str) -> dict[str, bytes]:
    """Return a bundle whose broken Service, pods, labels, node and namespace have a hostile name."""
    files = {k: v for k, v in NO_PODS.items() if k != "manifest.json"}

    def apply(path: str, change: Callable[[Any], None]) -> None:
        document = json.loads(files[path])
        for item in document["items"]:
            change(item)
        files[path] = json.dumps(document, indent=4).encode("utf-8", "surrogatepass")

    def service(item: Any) -> None:
        if item["metadata"]["name"] == "hostnames":
            item["metadata"]["name"] = name
            item["spec"]["selector"] = {name: name}
        if item["metadata"]["namespace"] == "shop":
            item["metadata"]["namespace"] = name

    def pod(item: Any) -> None:
        if item["metadata"]["name"].startswith("hostnames-"):
            item["metadata"]["name"] = name + item["metadata"]["name"]
            item["metadata"]["labels"] = {name: name + "2"}
            item["status"]["conditions"] = [{"type": "Ready", "status": "False", "message": name}]
        item["spec"]["nodeName"] = item["spec"].get("nodeName", "").replace("node-b", name)

    def node(item: Any) -> None:
        item["metadata"]["name"] = item["metadata"]["name"].replace("node-b", name)
        item["status"]["conditions"] = [
            {"type": "Ready", "status": "False", "reason": name, "message": name}
        ]

    apply("cluster/services.json", service)
    apply("cluster/pods.json", pod)
    apply("cluster/nodes.json", node)
    return files


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_hostile_name_does_nothing(tmp_path: Path, name: str) -> None:
    bundle = laid_out(tmp_path / "b", renamed(name))
    text = analysed(bundle, "-v", "--color", "never")
    for said in (text.out, svcbundle("show", bundle).out, svcbundle("validate", bundle).out):
        assert NOT_PLAIN.search(said) is None
    harmless = laid_out(tmp_path / "harmless", renamed("harmless"))
    page, likewise = (analysed(b, "--format", "html").out for b in (bundle, harmless))
    assert Tags.of(page) <= Tags.of(likewise)
    report = json.loads(analysed(bundle, "--format", "json").out)
    assert name == NAMES["surrogate"] or name in {s["name"] for s in report["services"]}


@pytest.mark.parametrize("kind", [kind for kind in NAMES if kind != "surrogate"])
def test_a_hostile_name_stays_one_word_of_a_command(tmp_path: Path, kind: str) -> None:
    name = NAMES[kind]
    report = reported(laid_out(tmp_path / "b", renamed(name)))
    seen = 0
    for finding in report.findings:
        for line in commands(finding.problem.remedy):
            words = shlex.split(line)
            assert words[0] == "kubectl"
            assert "reboot" not in words
            seen += any(name in word for word in words)
    assert seen


def commands(remedy: str) -> list[str]:
    """Return the commands of a remedy; a line feed within quotes does not end one."""
    found: list[str] = []
    for line in remedy.split("\n"):
        if line.startswith("kubectl "):
            found.append(line)
        elif found and found[-1].count("'") % 2:
            found[-1] += "\n" + line
    return found


class Tags(HTMLParser):
    """The elements of a page, and the attributes they have."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[str, frozenset[str]]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen |= {(tag, frozenset())} | {(tag, frozenset({key})) for key, _ in attrs}

    @classmethod
    def of(cls, page: str) -> set[tuple[str, frozenset[str]]]:
        parser = cls()
        parser.feed(page)
        return parser.seen


@pytest.mark.parametrize("name", ["-rf", "$(reboot)", "ノード", "a b", "node'b", "a" * 253])
def test_a_node_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    files = {
        path.replace("nodes/node-b/", f"nodes/{name}/"): data for path, data in UNNUMBERED.items()
    }
    bundle = packed(tmp_path / "b.tgz", files)
    ran = analysed(bundle)
    assert NOT_PLAIN.search(ran.out) is None
    assert name[:30] in svcbundle("show", bundle, "--node", name).out


# --- any damage ---


def root_errors(report: Report) -> frozenset[tuple[str, frozenset[str]]]:
    """Return the checks that found a cause, without those about the bundle, with the files they quote."""
    return frozenset(
        (
            f"{f.check.slug} {f.problem.service} {f.problem.node}",
            frozenset(e.source.path for e in f.problem.evidence),
        )
        for f in report.findings
        if f.caused_by is None
        and (f.problem.severity or f.check.severity) is Severity.ERROR
        and not f.check.slug.startswith("bundle-")
    )


def reported(bundle: Path) -> Report:
    with open_bundle((bundle,)) as opened:
        analysis = analyse(opened, Question(), lambda _: None)
    assert not analysis.defects, analysis.defects[0].trace
    return analysis.report


BEFORE = root_errors(reported(sample("kube-proxy-stopped")))


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one change of the kinds that damage files: bits, cuts, lines lost, moved or doubled."""
    lines = data.split(b"\n")
    place, line = chance.randrange(len(data)), chance.randrange(len(lines))
    match chance.randrange(7):
        case 0:
            return data[:place] + chance.randbytes(1) + data[place + 1 :]
        case 1:
            return data[:place] + data[place + chance.randrange(1, 60) :]
        case 2:
            return data[:place] + chance.randbytes(chance.randrange(1, 9)) + data[place:]
        case 3:
            return data[:place]
        case 4:
            return b"\n".join(lines[:line] + lines[line + chance.choice([1, 1, 10]) :])
        case 5:
            return b"\n".join([*lines[:line], lines[chance.randrange(len(lines))], *lines[line:]])
        case _:
            return data.replace(b"\n", chance.choice([b"\r\n", b"\r", b"\n\n"]))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(path=st.sampled_from(sorted(UNNUMBERED)), seed=st.integers(0, 2**32))
def test_damage_to_a_file_makes_no_defect_and_no_cause_that_quotes_other_files(
    tmp_path_factory: pytest.TempPathFactory, path: str, seed: int
) -> None:
    files = {**UNNUMBERED, path: mutated(UNNUMBERED[path], random.Random(seed))}
    assert_from_the_file_itself(reported(laid_out(tmp_path_factory.mktemp("damaged"), files)), path)
