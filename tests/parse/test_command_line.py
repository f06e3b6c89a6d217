from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from analyzer.model.node import Process
from analyzer.parse.command_line import flags_of_log, parse_flags, parse_processes
from analyzer.parse.klog import parse_log

DATA = Path(__file__).parent.parent / "data" / "parse"
HEADER = "  PID STAT COMMAND\n"


def processes(text: str) -> tuple[Process, ...]:
    parsed = parse_processes("processes.txt", text)
    assert parsed.problems == ()
    return parsed.value


def only(text: str) -> Process:
    (process,) = processes(text)
    return process


# --- ps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{HEADER}22231 Ssl  /usr/local/bin/kube-proxy --v=4", id="pid,stat,args"),
        pytest.param(
            "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\n"
            "root 1 0.0 1.2 743 123 ? Ssl Nov23 1:23 kube-proxy --v=4",
            id="aux",
        ),
        pytest.param(
            "UID PID PPID C STIME TTY TIME CMD\nroot 1 0 0 Nov23 ? 00:00:01 /x/kube-proxy --v=4",
            id="-ef",
        ),
        pytest.param("PID USER TIME COMMAND\n    1 root      0:00 kube-proxy --v=4", id="busybox"),
        pytest.param(
            "\nroot 1 0.0 1.2 743 123 ? Ssl Nov23 1:23 /usr/bin/kube-proxy --v=4", id="no header"
        ),
        pytest.param("\n22231 Ssl kube-proxy --v=4", id="no header and no path"),
        pytest.param("\n/usr/bin/kube-proxy --v=4", id="command line alone"),
        pytest.param("\n/usr/bin/kube-proxy\0--v=4\0", id="/proc/<pid>/cmdline"),
        pytest.param("PID COMMAND\n 7 \\_ /usr/bin/kube-proxy --v=4", id="forest"),
        pytest.param(f"{HEADER}22231 Ssl  C:\\k\\kube-proxy.exe --v=4", id="Windows"),
        pytest.param(f"{HEADER}22231 Ssl  kube-proxy --v=4\r\n", id="CR LF"),
    ],
)
def test_any_columns_may_stand_in_front_of_the_command(text: str) -> None:
    process = only(text)
    assert (process.program, process.flags, process.arguments) == ("kube-proxy", {"v": "4"}, ())
    assert (process.source.line, process.host) == (2, "")


def test_a_header_alone_says_that_no_such_process_ran() -> None:
    assert processes(HEADER) == ()


@pytest.mark.parametrize(
    "command",
    [
        "grep -E kube-proxy|kubelet",
        "/bin/grep kube-proxy",
        "ps -eo pid,args",
        "sh -c ps | grep kube-proxy",
        "/bin/sh -c kube-proxy --config=/x 2>&1",
        "tail -f /var/log/kube-proxy.log",
        "[kube-proxy] <defunct>",
        "timeout 5 kube-proxy --version",
    ],
)
@pytest.mark.parametrize("columns", [HEADER + "1 S ", "1 S "], ids=["header", "no header"])
def test_tools_and_zombies_are_no_kube_proxy(command: str, columns: str) -> None:
    assert processes(columns + command) == ()


@pytest.mark.parametrize(
    ("command", "program", "flags"),
    [
        ("/bin/bash /opt/entrypoint.sh kube-proxy", "bash", {}),
        ("kube-proxy -c /x", "kube-proxy", {"c": "/x"}),
        ("/usr/bin/containerd-shim -namespace moby", "containerd-shim", {"namespace": "moby"}),
    ],
)
def test_other_programs_are_processes_of_their_own(
    command: str, program: str, flags: dict[str, str]
) -> None:
    process = only(f"{HEADER}1 S {command}")
    assert (process.program, process.flags) == (program, flags)


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 1), ("\n \n", 1), ("ps: command", 1), (f"{HEADER}123\n", 2), ("who knows\n", 1)],
)
def test_no_program_is_a_problem(text: str, line: int) -> None:
    parsed = parse_processes("f", text)
    assert parsed.value == ()
    assert [p.line for p in parsed.problems] == [line]


# --- flags ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "flags", "arguments"),
    [
        ("--a=b", {"a": "b"}, ()),
        ("--a b", {"a": "b"}, ()),
        ("--a --b", {"a": "true", "b": "true"}, ()),
        ("--a", {"a": "true"}, ()),
        ("-v=2", {"v": "2"}, ()),
        ("-v 2", {"v": "2"}, ()),
        ("--a=", {"a": ""}, ()),
        ("--a=b=c,d=e", {"a": "b=c,d=e"}, ()),
        ("--a=1 --a=2", {"a": "2"}, ()),
        ("--masquerade-all x", {"masquerade-all": "true"}, ("x",)),
        ("--masquerade-all=false", {"masquerade-all": "false"}, ()),
        ("server --a b c", {"a": "b"}, ("server", "c")),
        ("--a=b -- --c", {"a": "b"}, ("--c",)),
        ("--a='b c' --d=\"e\\tf\"", {"a": "b c", "d": "e\tf"}, ()),
        ('--a="b"c --d', {"a": "bc", "d": "true"}, ()),
        ("--a=it's --b=\"", {"a": "it's", "b": '"'}, ()),
        ("--nodeport-addresses -1", {"nodeport-addresses": "-1"}, ()),
    ],
)
def test_flags_of_a_process(
    command: str, flags: dict[str, str], arguments: tuple[str, ...]
) -> None:
    process = only(f"{HEADER}1 S kube-proxy {command}")
    assert (process.flags, process.arguments) == (flags, arguments)


@pytest.mark.parametrize(
    ("tokens", "flags"),
    [
        (
            ["/usr/local/bin/kube-proxy", "--config=/a b", "--hostname-override=$(NODE)"],
            {"config": "/a b", "hostname-override": "$(NODE)"},
        ),
        (
            ["kube-proxy", "--cluster-cidr", "10.0.0.0/8", "--v=2"],
            {"cluster-cidr": "10.0.0.0/8", "v": "2"},
        ),
        (["kube-proxy", '--a="b"'], {"a": '"b"'}),
        (["kube-proxy", "--not an option"], {}),
        (["/bin/sh", "-c", "mkdir -p /x; exec kube-proxy --a=1 --b 2>&1"], {"a": "1", "b": "true"}),
        (["sh", "-c", "kube-proxy --a=$X 1>>/var/log/kube-proxy.log 2>&1"], {"a": "$X"}),
        (["busybox", "sh", "-c", "true"], {}),
        (["kube-proxy", "-c", "x"], {"c": "x"}),
        ([], {}),
    ],
)
def test_flags_of_a_container(tokens: list[str], flags: dict[str, str]) -> None:
    assert parse_flags(tokens) == flags


def test_flags_that_kube_proxy_logs() -> None:
    log = parse_log(
        "f", (DATA / "kube-proxy-1.14.log").read_text(), datetime(2026, 11, 23, tzinfo=UTC)
    )
    assert flags_of_log(log.value) == {
        "skip-headers": "false",
        "stderrthreshold": "2",
        "udp-timeout": "250ms",
        "v": "4",
        "version": "false",
        "vmodule": "",
        "write-config-to": "",
    }


def test_a_logged_flag_keeps_its_quotes_and_commas() -> None:
    log = parse_log("f", r'I1123 03:21:32.104814   14146 flags.go:33] FLAG: --x="a,\"b\" c"', None)
    assert flags_of_log(log.value) == {"x": 'a,"b" c'}


# --- programs that run kube-proxy inside themselves ----------------------------------------------------


@pytest.mark.parametrize(
    ("command", "embedded"),
    [
        (
            "/usr/local/bin/k3s server --kube-proxy-arg=proxy-mode=ipvs --kube-proxy-arg v=4 --kubelet-arg=--x",
            {"kube-proxy": {"proxy-mode": "ipvs", "v": "4"}, "kubelet": {"x": "true"}},
        ),
        ("/usr/local/bin/k3s agent", {"kube-proxy": {}, "kubelet": {}}),
        ("k3s server --disable-kube-proxy", {"kubelet": {}}),
        ("k3s server --disable-agent --disable-kube-proxy=true", {}),
        ("k3s kubectl get pods", {}),
        ("/snap/microk8s/1/kubelite --kube-proxy-args-file=/x", {"kube-proxy": {}, "kubelet": {}}),
        ("/hyperkube proxy --v=2", {"kube-proxy": {"v": "2"}}),
        ("/hyperkube kubelet --v=2", {"kubelet": {"v": "2"}}),
        ("/hyperkube apiserver --v=2", {}),
        ("kube-proxy --v=2", {}),
    ],
)
def test_embedded_components_follow_their_host(
    command: str, embedded: dict[str, dict[str, str]]
) -> None:
    host, *components = processes(f"{HEADER}1 S {command}")
    assert host.host == ""
    assert {c.program: c.flags for c in components} == embedded
    assert {c.host for c in components} <= {host.program}
    assert {c.source.line for c in components} <= {2}
