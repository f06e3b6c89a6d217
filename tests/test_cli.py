"""The contract of the command line: exit statuses, options, streams, and the same bytes every time."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from analyzer.checks import catalogue
from analyzer.report.json import report_schema
from analyzer.report.visible import cells
from tests.bundles import files_of, laid_out, packed, sample
from tests.command_line import Ran, command, settings, spawned, svcbundle

HEALTHY = sample("healthy")
STOPPED = sample("kube-proxy-stopped")
NO_PODS = sample("selector-no-match")
WARNING_ONLY = ("--service", "shop/cache", "--select", "local-policy-no-endpoint")
ESCAPE = "\x1b["


def findings(ran: Ran) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(ran.out)["findings"]
    return found


# --- exit statuses ---


@pytest.mark.parametrize(
    ("words", "status"),
    [
        pytest.param([NO_PODS], 1, id="an error is a finding"),
        pytest.param([HEALTHY, "--service", "default/hostnames"], 0, id="nothing found"),
        pytest.param([NO_PODS, "--fail-on", "never"], 0, id="never fails"),
        pytest.param([HEALTHY, *WARNING_ONLY], 0, id="a warning does not fail by default"),
        pytest.param([HEALTHY, *WARNING_ONLY, "--fail-on", "warning"], 1, id="or does if asked"),
        pytest.param([NO_PODS, "--fail-on", "warning"], 1, id="an error is at or above a warning"),
        pytest.param(["no-such-file.tgz"], 3, id="no such bundle"),
        pytest.param([HEALTHY, "no-such-file.tgz"], 3, id="one of two bundles is not there"),
        pytest.param([], 2, id="no bundle named"),
        pytest.param([HEALTHY, "--no-such-option"], 2, id="unknown option"),
        pytest.param([HEALTHY, "--fail-on", "info"], 2, id="unknown grade"),
        pytest.param([HEALTHY, "--format", "pdf"], 2, id="unknown format"),
        pytest.param([HEALTHY, "-o", "report.pdf"], 2, id="unknown suffix"),
        pytest.param([HEALTHY, "-o", "no/such/folder/report.html"], 2, id="unwritable output"),
        pytest.param([HEALTHY, "-o", "/"], 2, id="a directory as output"),
        pytest.param([HEALTHY, "--node", "node-z"], 2, id="unknown node"),
        pytest.param([HEALTHY, "--service", "hostnames"], 2, id="a Service without namespace"),
        pytest.param([HEALTHY, "--service", "a/b/c"], 2, id="a Service with too many slashes"),
        pytest.param([HEALTHY, "--select", "no-such-check"], 2, id="unknown check selected"),
        pytest.param([HEALTHY, "--ignore", "no-such-check"], 2, id="unknown check ignored"),
        pytest.param([HEALTHY, "--max-members", "0"], 2, id="a limit of none"),
        pytest.param([HEALTHY, "--max-members", "3", "--fail-on", "warning"], 1, id="a limit hit"),
    ],
)
def test_exit_status_of_analyze(words: list[object], status: int) -> None:
    ran = svcbundle("analyze", *words)
    assert ran.status == status, ran.err
    assert bool(ran.out) is (status < 2)
    if status >= 2:
        assert "Traceback" not in ran.err
        assert ran.err.count("\n") <= 4


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--version"], 0),
        (["--help"], 0),
        (["analyze", "--help"], 0),
        (["no-such-command"], 2),
        (["checks"], 0),
        (["explain", "no-such-check"], 2),
        (["explain"], 2),
        (["validate", HEALTHY], 0),
        (["validate", "no-such-file"], 3),
        (["show", HEALTHY], 0),
        (["show", HEALTHY, "--node", "node-z"], 2),
        (["show", HEALTHY, "--service", "default/no-such"], 2),
        (["show", "no-such-file"], 3),
        (["trace", HEALTHY], 2),
        (["trace", HEALTHY, "--from", "pod:default/toolbox-a"], 2),
        (["trace", HEALTHY, "--from", "pod:default/no-such", "--to", "10.0.0.1:80"], 2),
        (["trace", HEALTHY, "--from", "elephant", "--to", "10.0.0.1:80"], 2),
        (["trace", "no-such-file", "--from", "node:node-a", "--to", "10.0.0.1:80"], 3),
    ],
    ids=lambda value: (
        " ".join(getattr(v, "name", v) for v in value) if isinstance(value, list) else ""
    ),
)
def test_exit_status_of_the_other_commands(words: list[object], status: int) -> None:
    ran = svcbundle(*words)
    assert ran.status == status, ran.err
    assert bool(ran.out) is (status == 0)
    assert "Traceback" not in ran.err


def test_a_failing_check_is_a_defect_that_costs_no_other_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check = next(c for c in catalogue() if c.slug == "local-policy-no-endpoint")

    def fail(_: object) -> Iterator[object]:
        raise ValueError("a name with \x1b[2J in it")

    monkeypatch.setattr(
        type(check), "probe", property(lambda c: fail if c is check else PROBES[c.slug])
    )
    ran = svcbundle("analyze", NO_PODS, "-q")
    assert ran.status == 4
    assert "selector-matches-no-pods" in ran.out
    assert "local-policy-no-endpoint failed on shop/cache" in ran.err
    assert "Please report it" in ran.err
    assert "\x1b" not in ran.err


PROBES = {check.slug: check.probe for check in catalogue()}


# --- what is asked ---


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("default/absent", "there is no Service default/absent, nor one of a similar name"),
        ("shop/hostnames", "there is no Service shop/hostnames; there is default/hostnames"),
        ("default/hostname", "there is no Service default/hostname; there is default/hostnames"),
    ],
    ids=["nowhere", "in another namespace", "of a similar name"],
)
def test_a_service_that_does_not_exist_is_said_to(name: str, says: str) -> None:
    ran = svcbundle("analyze", HEALTHY, "--service", name, "--format", "json")
    assert ran.status == 1
    (found,) = [f for f in findings(ran) if f["check"] == "service-not-found"]
    assert (found["message"], found["service"]) == (says, name)


def test_only_the_services_asked_for_are_judged() -> None:
    asked = ("--service", "shop/web", "--service", "shop/cart")
    ran = svcbundle("analyze", HEALTHY, *asked, "--format", "json")
    services = json.loads(ran.out)["services"]
    assert [f"{s['namespace']}/{s['name']}" for s in services] == ["shop/cart", "shop/web"]
    assert {f["service"] for f in findings(ran)} <= {None, "shop/web", "shop/cart"}


def test_only_the_nodes_asked_for_are_examined() -> None:
    ran = svcbundle("analyze", STOPPED, "--node", "node-a", "--format", "json")
    report = json.loads(ran.out)
    assert [node["name"] for node in report["nodes"]] == ["node-a"]
    assert "kube-proxy-not-running" not in {f["check"] for f in report["findings"]}


def test_select_and_ignore_choose_the_checks_that_run() -> None:
    every = {
        c["check"]
        for c in json.loads(svcbundle("analyze", HEALTHY, "--format", "json").out)["checks"]
    }
    assert every == {check.slug for check in catalogue()}
    two = "selector-matches-no-pods, pods-not-ready"
    selected = svcbundle("analyze", HEALTHY, "--select", two, "--format", "json")
    assert {c["check"] for c in json.loads(selected.out)["checks"]} == set(two.split(", "))
    ignored = svcbundle("analyze", HEALTHY, "--ignore", two, "--format", "json")
    assert {c["check"] for c in json.loads(ignored.out)["checks"]} == every - set(two.split(", "))


def test_an_unknown_node_is_answered_with_those_there_are() -> None:
    ran = svcbundle("analyze", HEALTHY, "--node", "node-z")
    assert ran.err == "svcbundle: the bundle has no node node-z; it has node-a, node-b, node-c\n"


# --- forms ---


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("r.txt", "2 of 18 Services"),
        ("r.json", "{"),
        ("r.html", "<!doctype html>"),
        ("R.HTM", "<!doctype html>"),
        ("r.sarif", '{\n  "$schema": "https://docs.oasis-open.org/sarif/'),
        ("r.sarif.json", '{\n  "$schema": "https://docs.oasis-open.org/sarif/'),
        ("r.xml", '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="svcbundle"'),
        ("r.md", "# 2 of 18 Services"),
    ],
)
def test_the_form_follows_the_suffix(tmp_path: Path, name: str, begins: str) -> None:
    ran = svcbundle("analyze", NO_PODS, "-o", tmp_path / name)
    assert (ran.status, ran.out) == (1, "")
    assert (tmp_path / name).read_text("utf-8").startswith(begins)


def test_a_format_counts_for_more_than_a_suffix(tmp_path: Path) -> None:
    svcbundle("analyze", NO_PODS, "--format", "json", "-o", tmp_path / "report.txt")
    assert (
        json.loads((tmp_path / "report.txt").read_text("utf-8"))["schema"] == "svcbundle/report/v1"
    )


def test_the_json_report_is_valid() -> None:
    schema = report_schema()
    Draft202012Validator.check_schema(schema)
    report = json.loads(svcbundle("analyze", STOPPED, "--format", "json").out)
    Draft202012Validator(schema).validate(report)
    counts = {
        s: sum(f["severity"] == s for f in report["findings"]) for s in ("error", "warning", "info")
    }
    verdicts = [service["verdict"] for service in report["services"]]
    assert report["summary"] == counts | {
        "notEvaluated": len(report["notEvaluated"]),
        "services": {v: verdicts.count(v) for v in ("broken", "degraded", "healthy", "unknown")},
    }


UNBREAKABLE = re.compile(
    r"""^\s*(→\ )?(kubectl|iptables|svcbundle|echo)\ .*   # a command, which is copied as one line
      | ^\s+\S+:\d+\b.*                                # the place of evidence and its line
      | ^\s+\S+\s\s.*                                  # a row of a table, a check and its severity
      | ^\s*\S+$                                        # one long word: an address of a page, a path
      | ^\s+(\w\w\ )+\w\w$                                  # the head of the table of Services
      | ^\S+\ \(\w+,\ station\ \S+\)$                   # the title of an explanation
      | ^Not\ evaluated,\ and\ the\ command\ that\ would\ tell$
      | ^\s+→\ on\ each\ of\ these\ nodes:\ .*""",
    re.VERBOSE,
)


@pytest.mark.parametrize("width", [40, 80, 100, 200])
@pytest.mark.parametrize(
    "words",
    [
        ("analyze", STOPPED),
        ("analyze", STOPPED, "-v"),
        ("checks",),
        ("explain", "hairpin-disabled"),
    ],
    ids=lambda words: words[0] + " -v" * ("-v" in words),
)
def test_sentences_fit_the_terminal(words: tuple[object, ...], width: int) -> None:
    ran = svcbundle(*words, COLUMNS=str(width))
    wide = [line for line in ran.out.splitlines() if cells(line) > width]
    assert [line for line in wide if not UNBREAKABLE.match(line)] == []
    assert len(wide) < len(ran.out.splitlines()) / 2


def test_no_colour_but_on_a_terminal_or_when_asked() -> None:
    assert ESCAPE not in svcbundle("analyze", NO_PODS).out
    assert ESCAPE in svcbundle("analyze", NO_PODS, "--color", "always").out
    assert ESCAPE not in svcbundle("analyze", NO_PODS, "--color", "never").out


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
    ids=["a terminal", "NO_COLOR", "NO_COLOR empty", "a dumb terminal"],
)
def test_colour_on_a_terminal(environment: dict[str, str], *, coloured: bool) -> None:
    shown = on_a_terminal("analyze", NO_PODS, **({"TERM": "xterm"} | environment))
    assert "2 of 18 Services" in shown
    assert (ESCAPE in shown) is coloured


def on_a_terminal(*words: object, **environment: str) -> str:
    """Return what a command writes to a terminal, standard error left out."""
    ours, theirs = pty.openpty()
    unset = {k: v for k, v in settings(environment).items() if k != "NO_COLOR" or k in environment}
    with subprocess.Popen(command(*words), stdout=theirs, stderr=subprocess.DEVNULL, env=unset):
        os.close(theirs)
        shown = b""
        while part := _read(ours):
            shown += part
        os.close(ours)
    return shown.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # how Linux tells the end of a pseudo-terminal
        return b""


# --- streams ---


def test_results_go_to_standard_output_alone_and_progress_to_standard_error() -> None:
    ran = spawned("analyze", STOPPED)
    assert ran.status == 1
    assert ran.out.startswith("1 of 18 Services")
    assert "check " not in ran.err or ran.err.startswith("check ")
    assert "Traceback" not in ran.err


def test_progress_is_shown_on_a_terminal_and_taken_off_again(big: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("analyze", big), stdout=subprocess.PIPE, stderr=theirs, env=settings({})
    ) as process:
        os.close(theirs)
        out = process.communicate()[0]
    shown = _read(ours).decode()
    os.close(ours)
    assert re.search(r"\r\x1b\[Kcheck \d+ of \d+: [a-z-]+", shown)
    assert shown.endswith("\r\x1b[K")
    assert b"check 1 of" not in out


def test_quiet_says_nothing_on_standard_error(big: Path) -> None:
    assert spawned("analyze", big, "-q").err == ""


def test_a_reader_that_has_gone_is_no_error() -> None:
    for words in (
        ("analyze", STOPPED, "-q"),
        ("checks",),
        ("show", STOPPED),
        ("explain", "hairpin-disabled"),
    ):
        with subprocess.Popen(
            command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=settings({})
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == (1 if "analyze" in words else 0), words


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize(
    "words",
    [("analyze", STOPPED, "-q"), ("--version",), ("collect", "--print-rbac")],
    ids=["a report", "the version", "a role"],
)
def test_a_full_disk_is_told_in_one_line(words: tuple[object, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command(*words),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            env=settings({}),
        )
    assert (done.returncode, done.stderr) == (
        2,
        b"svcbundle: standard output: No space left on device\n",
    )


@pytest.mark.parametrize(
    "words",
    [("checks",), ("explain", "hairpin-disabled"), ("validate", HEALTHY), ("show", HEALTHY)],
    ids=lambda w: w[0],
)
def test_a_locale_without_the_signs_in_use_stops_nothing(words: tuple[object, ...]) -> None:
    ran = spawned(*words, PYTHONIOENCODING="ascii")
    assert ran.status == 0, ran.err
    assert ran.out == svcbundle(*words).out


# --- interruption ---


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that takes some seconds: one node has very many rules of unlike shapes."""
    files = files_of("kube-proxy-stopped")
    rules = b"*filter\n:INPUT ACCEPT [0:0]\n" + b"".join(
        b"-A INPUT -s 192.0.2.%d/32 -m comment --comment n%d -j ACCEPT\n" % (n % 256, n)
        for n in range(30_000)
    )
    files["nodes/node-a/iptables-save.txt"] += rules + b"COMMIT\n"
    return laid_out(tmp_path_factory.mktemp("big"), files)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A job in the background ignores Ctrl-C, and so would the programs that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_analysis_ends_at_once_with_130_and_no_traceback(big: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("analyze", big), stdout=subprocess.PIPE, stderr=theirs, env=settings({})
    ) as process:
        os.close(theirs)
        assert select.select([ours], [], [], 60)[0], "no progress was shown"
        os.read(ours, 100)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        out = process.communicate(timeout=30)[0]
    said = _read(ours)
    os.close(ours)
    assert (process.returncode, out) == (130, b"")
    assert time.monotonic() - began < 5
    assert b"Traceback" not in said


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_trace_ends_with_130_and_no_traceback() -> None:
    with subprocess.Popen(
        command("trace", HEALTHY, "--queries", "-", "--format", "json"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=settings({}),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(
            b'{"from": "pod:default/toolbox-a", "to": "service:default/hostnames"}\n'
        )
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["outcomes"], "answers are written as they come"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert b"Traceback" not in process.stderr.read()


# --- the same bytes ---


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_the_report_is_the_same_bytes_whatever_the_process_and_its_locale(form: str) -> None:
    words = ("analyze", STOPPED, "--format", form, "--lang", "en")
    one = spawned(*words, PYTHONHASHSEED="1", TZ="UTC", LANG="C", LC_ALL="C")
    other = spawned(*words, PYTHONHASHSEED="2", TZ="Asia/Shanghai", LANG="zh_CN.UTF-8", LC_ALL="")
    assert one.status == other.status == 1
    assert one.out == other.out == svcbundle(*words).out


def test_a_directory_is_read_like_an_archive_and_parts_like_a_whole(tmp_path: Path) -> None:
    files = {k: v for k, v in files_of("kube-proxy-stopped").items() if k != "manifest.json"}
    cluster = {k: v for k, v in files.items() if k.startswith("cluster/")}
    nodes = {k: v for k, v in files.items() if not k.startswith("cluster/")}
    whole = packed(tmp_path / "whole.tgz", files)
    inputs = [
        [whole],
        [laid_out(tmp_path / "directory", files)],
        [packed(tmp_path / "cluster.tgz", cluster), laid_out(tmp_path / "nodes", nodes)],
    ]
    reports = [json.loads(svcbundle("analyze", *given, "--format", "json").out) for given in inputs]
    assert [r["bundle"].pop("path") for r in reports] == [
        ", ".join(map(str, given)) for given in inputs
    ]
    assert reports[1] == reports[0]
    assert reports[2] == reports[0]
    assert "kube-proxy-not-running" in {f["check"] for f in reports[0]["findings"]}


# --- the other commands ---


def test_checks_lists_every_check() -> None:
    listed = svcbundle("checks").out
    assert all(re.search(rf"^  {check.slug}\s", listed, re.MULTILINE) for check in catalogue())


@pytest.mark.parametrize("slug", [check.slug for check in catalogue()])
def test_every_check_is_explained(slug: str) -> None:
    ran = svcbundle("explain", slug)
    assert ran.status == 0
    assert slug in ran.out.splitlines()[0]
    assert "##" not in ran.out


def test_a_damaged_bundle_does_not_validate(tmp_path: Path) -> None:
    files = files_of("healthy")
    files["nodes/node-a/iptables-save.txt"] += b"*nat\nsome stray line\n"
    ran = svcbundle("validate", packed(tmp_path / "damaged.tgz", files))
    assert ran.status == 1
    assert "nodes/node-a/iptables-save.txt" in ran.out
    assert "problem" in ran.out.splitlines()[0]


def test_validate_names_what_would_not_be_evaluated_and_the_command_that_gives_it(
    tmp_path: Path,
) -> None:
    files = files_of("healthy")
    del files["cluster/services.json"], files["manifest.json"]
    ran = svcbundle("validate", packed(tmp_path / "partial.tgz", files))
    assert ran.status == 0
    assert "cluster/services.json is not in the bundle" in ran.out
    assert "kubectl get services --all-namespaces -o json" in ran.out
    assert "integrity: not verified" in ran.out


def test_show_gives_the_chains_of_all_nodes_of_one_and_of_one_service() -> None:
    whole = svcbundle("show", STOPPED).out
    one_node = svcbundle("show", STOPPED, "--node", "node-b").out
    one_service = svcbundle(
        "show", STOPPED, "--node", "node-b", "--service", "default/hostnames"
    ).out
    assert re.findall(r"^(\S+), IPv4$", whole, re.MULTILINE) == ["node-a", "node-b", "node-c"]
    assert re.findall(r"^(\S+), IPv4$", one_node, re.MULTILINE) == ["node-b"]
    assert one_node in whole
    assert "shop/web" in one_node
    assert "shop/web" not in one_service
    assert "+ not expected: 1/3" in one_service
    assert "- expected: 1/3" in one_service


QUERY = ("--from", "pod:default/toolbox-a", "--to", "service:default/hostnames:80")


def test_trace_tells_every_outcome_in_words() -> None:
    ran = svcbundle("trace", HEALTHY, *QUERY)
    assert ran.status == 0
    assert ran.out.startswith("pod:default/toolbox-a -> service:default/hostnames:80 (TCP)\n")
    assert ran.out.count(" delivered: ") == 3
    assert re.search(r"nodes/node-a/iptables-save\.txt:\d+ -A KUBE-SERVICES ", ran.out)


def test_trace_as_json_is_one_object_whose_outcomes_sum_to_one() -> None:
    ran = svcbundle("trace", HEALTHY, *QUERY, "--format", "json")
    answer = json.loads(ran.out)
    assert ran.out.count("\n") == 1
    assert (answer["from"], answer["protocol"], answer["conclusive"]) == (
        "pod:default/toolbox-a",
        "TCP",
        True,
    )
    assert abs(sum(o["probability"] for o in answer["outcomes"]) - 1) < 1e-9


def test_trace_answers_queries_one_a_line_and_in_order() -> None:
    queries = [
        {"from": "pod:default/toolbox-a", "to": "service:default/hostnames"},
        {"from": "node:node-b", "to": "kube-dns.kube-system:53", "protocol": "udp"},
        {"from": "pod:default/absent", "to": "service:default/hostnames"},
    ]
    lines = "\n".join([*map(json.dumps, queries), "", "not a query", ""]).encode()
    ran = svcbundle("trace", HEALTHY, "--queries", "-", "--format", "json", stdin=lines)
    answers = [json.loads(line) for line in ran.out.splitlines()]
    assert [a["from"] for a in answers[:3]] == [q["from"] for q in queries]
    assert [a["protocol"] for a in answers[:2]] == ["TCP", "UDP"]
    verdicts = [{o["verdict"] for o in a["outcomes"]} for a in answers]
    assert verdicts[0] == {"delivered"}
    assert verdicts[2] == verdicts[3] == {"inconclusive"}
    assert ran.status == 1


def test_trace_fails_where_not_every_outcome_is_delivered() -> None:
    ran = svcbundle("trace", NO_PODS, *QUERY, "--format", "json")
    assert ran.status == 1
    assert {o["verdict"] for o in json.loads(ran.out)["outcomes"]} == {"rejected"}


# --- start-up ---


def test_the_version_is_the_same_whoever_answers() -> None:
    at_once, by_click = svcbundle("--version"), svcbundle("--version", "--version")
    assert at_once == by_click


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (["--version"], ["click", "lark", "jinja2", "msgspec", "yaml", "jsonschema"]),
        (
            ["explain", "hairpin-disabled"],
            ["lark", "jinja2", "jsonschema", "msgspec", "analyzer.snapshot", "importlib.resources"],
        ),
        (["checks"], ["lark", "jinja2", "jsonschema"]),
        (["analyze", str(HEALTHY)], ["jinja2"]),
    ],
    ids=["version", "explain", "checks", "analyze as text"],
)
def test_a_command_loads_only_what_it_needs(words: list[str], unneeded: list[str]) -> None:
    program = (
        "import sys, atexit; from analyzer.cli import main\n"
        f"atexit.register(lambda: print(sorted(set({unneeded}) & sys.modules.keys()), file=sys.stderr))\n"
        "main()"
    )
    done = subprocess.run(
        [*command()[:1], "-c", program, *words], capture_output=True, check=False, env=settings({})
    )
    assert done.stderr.decode().splitlines()[-1] == "[]"
