from __future__ import annotations

import os
import shlex
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from analyzer.collect.kubectl import Processes
from analyzer.collect.local_node import collect_local_node
from analyzer.collect.node_script import NodeSettings
from analyzer.model.ruleset import Family
from analyzer.parse.command_line import parse_processes
from analyzer.parse.document import decode_document
from analyzer.parse.hairpin import parse_hairpin
from analyzer.parse.ip_tool import parse_addresses, parse_links, parse_route_rules, parse_routes
from analyzer.parse.ipset_save import parse_ipset_save
from analyzer.parse.iptables_save import parse_iptables_save
from analyzer.parse.nft_json import decode_nft_ruleset
from analyzer.parse.resolv_conf import parse_resolv_conf
from analyzer.parse.sockets import parse_sockets
from analyzer.parse.sysctl import parse_sysctls
from tests.collect.node_frames import Kept
from tests.collect.node_runs import SHELLS, Run, program, programs, run, shell
from tests.kernel.namespaces import Namespace, why_impossible

_NFT = """*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-A - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment "dns cluster IP" -m tcp --dport 53 -j KUBE-SVC-A
COMMIT
"""
_LEGACY = (
    "*filter\n:INPUT ACCEPT [0:0]\n:KUBE-FIREWALL - [0:0]\n-A INPUT -j KUBE-FIREWALL\nCOMMIT\n"
)
_NETWORK = """
link set lo up
link add cbr0 type bridge
addr add 10.244.0.1/24 dev cbr0
link set cbr0 up
link add veth0 type veth peer name peer0
link set veth0 master cbr0 up
link set peer0 up
link set veth0 type bridge_slave hairpin on
link add veth1 type veth peer name peer1
link set veth1 master cbr0 up
link add eth0.100 type bridge
link set eth0.100 promisc on
addr add 192.0.2.5/24 dev eth0.100
addr add fd00:10::5/64 dev eth0.100 nodad
link set eth0.100 up
addr add 10.96.0.1/32 dev lo
route add default via 192.0.2.1
route add 10.99.0.0/16 via 192.0.2.7 metric 7
route add 10.244.7.9/32 dev cbr0
route add blackhole 10.98.0.0/26
route add unreachable 10.97.0.0/26
-6 route add default via fd00:10::1
-6 route add fd00:30::/64 via fd00:10::9 metric 5
"""


@pytest.fixture(scope="module")
def node() -> Iterator[Namespace]:
    """A node with rules of both backends, an nft table, a set, a bridge with ports, and routes."""
    if reason := why_impossible():
        pytest.skip(reason)
    if shutil.which("nft") is None:
        pytest.skip("no nft here: node.sh is not run on rules of the kernel")
    namespace = Namespace("node")
    try:
        for words in _NETWORK.strip().splitlines():
            namespace.ip(words)
        _wait_for_link_local_addresses(namespace)
        namespace.run("iptables-nft-restore", text=_NFT)
        namespace.run("iptables-legacy-restore", text=_LEGACY)
        namespace.run(
            "nft", "-f", "-", text="table ip kube-proxy { chain services { }\n chain empty { }\n }"
        )
        namespace.run("ipset", "create", "KUBE-CLUSTER-IP", "hash:ip,port")
        namespace.run("ipset", "add", "KUBE-CLUSTER-IP", "10.96.0.1,tcp:443")
        yield namespace
    finally:
        namespace.remove()


def _wait_for_link_local_addresses(namespace: Namespace) -> None:
    """Wait for what the kernel adds a moment after a link is up, routes with it: one address for each."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = namespace.run("ip", "-6", "-oneline", "addr", "show", "scope", "link").splitlines()
        ready = {line.split()[1] for line in found if "tentative" not in line}
        if ready >= {"cbr0", "veth0", "peer0", "eth0.100"}:
            return
        time.sleep(0.1)
    raise TimeoutError(f"no link-local addresses: {found}")


@pytest.fixture(params=SHELLS)
def words(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return shell(request.param)


@pytest.fixture(params=["image", "full"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return programs(tmp_path / "bin") if request.param == "image" else None


def _run(node: Namespace, words: tuple[str, ...], path: Path | None, *around: str) -> Run:
    inside = (str(shutil.which("ip")), "netns", "exec", node.name)
    return run(NodeSettings(node="node-a"), (*inside, *around, *words), path=path)


_Reader = Callable[[str, bytes], tuple[object, ...]]


def _of_text(parse: Callable[[str, str], object]) -> _Reader:
    def problems(name: str, content: bytes) -> tuple[object, ...]:
        return tuple(parse(name, content.decode()).problems)  # type: ignore[attr-defined]

    return problems


def _of_bytes(parse: Callable[[str, bytes], object]) -> _Reader:
    def problems(name: str, content: bytes) -> tuple[object, ...]:
        return tuple(parse(name, content).problems)  # type: ignore[attr-defined]

    return problems


def _of_rules(name: str, content: bytes) -> tuple[object, ...]:
    family = Family.IPV6 if name.startswith("ip6") else Family.IPV4
    dumps = parse_iptables_save(name, content.decode(), family)
    return tuple(p for dump in dumps for p in dump.problems)


_READERS: dict[str, _Reader] = {
    **dict.fromkeys(
        (
            f"{program}{flavour}-save.txt"
            for program in ("iptables", "ip6tables")
            for flavour in ("", "-legacy", "-nft")
        ),
        _of_rules,
    ),
    "iptables-version.txt": lambda _name, content: () if b"iptables v" in content else (content,),
    "nft-ruleset.json": _of_bytes(decode_nft_ruleset),
    "ipset-save.txt": _of_text(parse_ipset_save),
    "sysctl.txt": _of_text(parse_sysctls),
    "hairpin.txt": _of_text(parse_hairpin),
    "ip-addr.json": _of_text(parse_addresses),
    "ip-link.json": _of_text(parse_links),
    "ip-route.json": _of_text(parse_routes),
    "ip-addr.txt": _of_text(parse_addresses),
    "ip-link.txt": _of_text(parse_links),
    "ip-route.txt": _of_text(parse_routes),
    "ip-rule.txt": _of_text(parse_route_rules),
    "sockets.txt": _of_text(parse_sockets),
    "resolv.conf": _of_text(parse_resolv_conf),
    "processes.txt": _of_text(parse_processes),
    "kube-proxy-config.yaml": _of_bytes(decode_document),
}


def test_all_that_comes_parses_whole_in_each_shell(
    node: Namespace, words: tuple[str, ...], path: Path | None
) -> None:
    ran = _run(node, words, path)
    assert ran.stderr == ""
    assert (ran.stream.complete, ran.stream.problem) == (True, "")
    for name, content in ran.contents.items():
        assert _READERS[name](name, content) == (), name
    assert '"kubernetes service portals" -j KUBE-SERVICES' in ran.text("iptables-save.txt")
    assert "-A INPUT -j KUBE-FIREWALL" in ran.text("iptables-legacy-save.txt")
    assert "iptables-nft-save.txt" not in ran.contents  # iptables-save.txt holds the same
    assert b'"kube-proxy"' in ran.contents["nft-ruleset.json"]
    assert "add KUBE-CLUSTER-IP 10.96.0.1,tcp:443" in ran.text("ipset-save.txt")
    (rules,) = (f for f in ran.stream.files if f.name == "iptables-save.txt")
    assert "legacy tables present" in rules.stderr


def test_all_shells_say_the_same(node: Namespace, tmp_path: Path) -> None:
    path = programs(tmp_path / "bin")
    # In a PID namespace of its own: what else runs on this machine comes and goes.
    runs = [_beside(node, shell(name), path) for name in SHELLS]
    volatile = {"iptables-save.txt", "iptables-legacy-save.txt", "processes.txt", "sysctl.txt"}
    first = {n: c for n, c in runs[0].contents.items() if n not in volatile}
    for other in runs[1:]:
        assert {n: c for n, c in other.contents.items() if n not in volatile} == first
        assert other.missing == runs[0].missing


def test_settings_are_named_as_sysctl_names_them(node: Namespace, tmp_path: Path) -> None:
    text = _run(node, shell("dash"), programs(tmp_path / "bin")).text("sysctl.txt")
    found = {name: s.value for name, s in parse_sysctls("sysctl.txt", text).value.items()}
    if shutil.which("sysctl"):
        listed = dict(
            line.split(" = ", 1) for line in node.run("sysctl", "-a").splitlines() if " = " in line
        )
        changing = {"net.netfilter.nf_conntrack_count"}
        for name in found.keys() - changing:
            assert found[name] == listed[name].strip(), name
    assert "net.ipv4.conf.eth0/100.rp_filter" in found
    assert int(found["net.netfilter.nf_conntrack_max"]) > 9
    assert {"net.ipv4.ip_forward", "net.ipv4.conf.all.route_localnet"} <= found.keys()


def test_ports_of_bridges_are_told_with_their_mode(node: Namespace, path: Path | None) -> None:
    text = _run(node, shell("dash"), path).text("hairpin.txt")
    ports = parse_hairpin("hairpin.txt", text).value
    assert [(p.bridge, p.port, p.hairpin) for p in ports] == [
        ("cbr0", "veth0", True),
        ("cbr0", "veth1", False),
    ]


def test_routes_without_ip_are_those_that_ip_shows(node: Namespace, tmp_path: Path) -> None:
    ran = _run(node, shell("dash"), programs(tmp_path / "bin"))
    shown = parse_routes("x", node.run("ip", "-j", "route", "show", "table", "all"))
    derived = parse_routes("y", ran.text("ip-route.txt"))
    assert not derived.problems

    def facts(routes: tuple[object, ...]) -> set[tuple[object, ...]]:
        return {
            (r.kind, r.destination, r.gateway, "" if local(r) else r.device, r.table, r.metric)  # type: ignore[attr-defined]
            for r in routes
            if r.kind != "broadcast"  # type: ignore[attr-defined]
        }

    def local(route: object) -> bool:
        """The kernel does not say here whose address a local one of IPv4 is."""
        return route.table == "local" and ":" not in route.destination  # type: ignore[attr-defined]

    assert facts(derived.value) == facts(shown.value)
    (file,) = (f for f in ran.stream.files if f.name == "ip-route.txt")
    assert not file.truncated
    assert "several hops" in file.stderr


def test_addresses_without_ip_are_those_in_subnets_and_said_to_be_cut(
    node: Namespace, tmp_path: Path
) -> None:
    ran = _run(node, shell("dash"), programs(tmp_path / "bin"))
    shown = parse_addresses("x", node.run("ip", "-j", "addr")).value
    derived = parse_addresses("y", ran.text("ip-addr.txt")).value
    without = {("lo", "10.96.0.1", 32)}
    assert {(a.interface, a.address, a.prefix_length) for a in derived} == {
        (a.interface, a.address, a.prefix_length) for a in shown
    } - without
    (file,) = (f for f in ran.stream.files if f.name == "ip-addr.txt")
    assert file.truncated


@pytest.mark.parametrize(
    ("more", "owners", "cut"),
    [
        ((), {"192.0.2.5": "eth0"}, False),
        (
            ("link add eth1 type bridge", "addr add 192.0.2.6/24 dev eth1", "link set eth1 up"),
            {},
            True,
        ),
        (
            ("link add eth1 type bridge", "addr add 192.0.2.6/25 dev eth1", "link set eth1 up"),
            {"192.0.2.5": "eth1", "192.0.2.6": "eth1"},
            False,
        ),
    ],
    ids=["one subnet", "a subnet on two interfaces", "a subnet in another one"],
)
def test_an_address_is_told_where_one_interface_has_the_closest_subnet_around_it(
    node: Namespace,
    tmp_path: Path,
    more: tuple[str, ...],
    owners: dict[str, str],
    cut: bool,
) -> None:
    assert node  # skipped where there is none
    fresh = Namespace("addresses")
    try:
        for line in (
            *("link set lo up", "link add eth0 type bridge", "addr add 192.0.2.5/24 dev eth0"),
            *("link set eth0 up", *more),
        ):
            fresh.ip(line)
        path = programs(tmp_path / "bin")
        runs = [_run(fresh, shell(name), path) for name in SHELLS]
    finally:
        fresh.remove()
    for ran in runs:
        found = parse_addresses("x", ran.text("ip-addr.txt")).value
        assert {a.address: a.interface for a in found if a.address.startswith("192.")} == owners
        (file,) = (f for f in ran.stream.files if f.name == "ip-addr.txt")
        assert file.truncated is cut


def test_links_without_ip_have_the_same_masters_and_hairpin_modes(
    node: Namespace, tmp_path: Path
) -> None:
    ran = _run(node, shell("dash"), programs(tmp_path / "bin"))
    shown = parse_links("x", node.run("ip", "-j", "-d", "link")).value
    derived = parse_links("y", ran.text("ip-link.txt")).value

    def facts(links: tuple[object, ...]) -> set[tuple[object, ...]]:
        return {
            (k.name, k.mtu, k.master, k.hairpin, "PROMISC" in k.flags, "UP" in k.flags)  # type: ignore[attr-defined]
            for k in links
        }

    assert facts(derived) == facts(shown)
    assert {k.name for k in derived if k.kind == "bridge"} == {"cbr0", "eth0.100"}
    assert all(k.kind in {"", "bridge"} for k in derived)


def test_an_ip_without_json_is_asked_for_text(
    node: Namespace, words: tuple[str, ...], tmp_path: Path
) -> None:
    path = programs(tmp_path / "bin")
    refusing = f'case "$*" in *-j*) exit 1 ;; esac; exec {shutil.which("ip")} "$@"'
    program(path, "ip", refusing)
    ran = _run(node, words, path)
    for name in ("ip-addr.txt", "ip-link.txt", "ip-route.txt", "ip-rule.txt"):
        assert _READERS[name](name, ran.contents[name]) == ()
    links = parse_links("ip-link.txt", ran.text("ip-link.txt")).value
    assert {k.name: k.hairpin for k in links if k.master} == {"veth0": True, "veth1": False}
    assert ("lo", "10.96.0.1") in {
        (a.interface, a.address) for a in parse_addresses("x", ran.text("ip-addr.txt")).value
    }


@pytest.mark.parametrize(
    ("search", "comes"),
    [("search example.org", True), ("search default.svc.cluster.local svc.cluster.local", False)],
)
def test_a_pods_own_resolv_conf_is_not_taken_for_the_nodes(
    node: Namespace, tmp_path: Path, search: str, comes: bool
) -> None:
    (tmp_path / "resolv.conf").write_text(f"{search}\nnameserver 10.96.0.10\n")
    mounted = f'mount --bind {tmp_path}/resolv.conf /etc/resolv.conf; exec "$@"'
    around = (str(shutil.which("unshare")), "--mount", "/bin/sh", "-c", mounted, "sh")
    ran = _run(node, shell("dash"), None, *around)
    assert ("resolv.conf" in ran.contents) == comes


def test_a_sysfs_of_another_namespace_is_not_believed(node: Namespace, path: Path | None) -> None:
    ran = run(
        NodeSettings(),
        ("nsenter", f"--net=/var/run/netns/{node.name}", *shell("dash")),
        path=_with(path, "nsenter"),
    )
    assert "another" in ran.missing.get("ip-link.json", "another")
    assert "hairpin.txt" in ran.missing
    assert "ip-link.txt" not in ran.contents


def _with(path: Path | None, name: str) -> Path | None:
    if path is not None:
        (path / name).symlink_to(str(shutil.which(name)))
    return path


def test_asking_changes_nothing(words: tuple[str, ...], path: Path | None, node: Namespace) -> None:
    assert node  # skipped where there is none
    fresh = Namespace("fresh")
    try:
        before = _state(fresh)
        ran = _run(fresh, words, path)
        assert _state(fresh) == before
    finally:
        fresh.remove()
    assert ran.contents["iptables-save.txt"] == b""
    assert "names none" in ran.missing["iptables-legacy-save.txt"]


def _state(namespace: Namespace) -> list[str]:
    modules = Path("/proc/modules")
    return [
        modules.read_text() if modules.exists() else "",
        namespace.run("nft", "list", "ruleset"),
        namespace.run("cat", "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"),
        namespace.run("ipset", "list", "-n"),
    ]


# --- kube-proxy ---

_CONFIG = """apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
metricsBindAddress: "127.0.0.1:20249"
"""


def _beside(
    node: Namespace, words: tuple[str, ...], path: Path | None, *processes: tuple[str, ...]
) -> Run:
    """Run the script in a PID namespace of its own where processes wait that call themselves otherwise."""
    start = "".join(
        f"{shlex.join(words)} & until grep -q {Path(words[0]).name} /proc/$!/comm; do :; done; "
        for words in processes
    )
    alone = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    around = (str(shutil.which("unshare")), *alone, "/bin/sh", "-c", f'{start} exec "$@"', "sh")
    return _run(node, words, path, *around)


def _program(directory: Path, name: str, *options: str) -> tuple[str, ...]:
    """Return the command line of a process of that name that waits until it is killed."""
    os.mkfifo(directory / f"{name}.fifo")
    shutil.copy(os.path.realpath(str(shutil.which("dash"))), directory / name)
    waiting = f"read -r _ <{directory}/{name}.fifo"
    return (str(directory / name), "-c", waiting, name, *options)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.conf"
    file.write_text(_CONFIG)
    return file


def test_kube_proxys_command_line_and_configuration_come(
    node: Namespace, words: tuple[str, ...], path: Path | None, config: Path
) -> None:
    proxy = _program(config.parent, "kube-proxy", f"--config={config}", "--v=4")
    kubelet = _program(config.parent, "kubelet", "--hostname-override", "node-a")
    stranger = _program(config.parent, "stranger", "kube-proxy")
    ran = _beside(node, words, path, proxy, kubelet, stranger)
    processes = parse_processes("processes.txt", ran.text("processes.txt"))
    assert not processes.problems
    assert [p.program for p in processes.value] == ["kube-proxy", "kubelet"]
    assert processes.value[0].flags["config"] == str(config)
    assert processes.value[0].flags["v"] == "4"
    assert processes.value[1].flags["hostname-override"] == "node-a"
    assert "stranger" not in ran.text("processes.txt")
    assert ran.text("kube-proxy-config.yaml") == _CONFIG


_SECRETS = (
    "--token=hunter2",
    "--kubelet-arg=node-labels=a=b",
    "--agent-token",
    "hunter2",
    "--db-password=hunter2",
    "--datastore-endpoint=mysql://admin:hunter2@tcp(db:3306)/k3s",
    "--etcd-s3-secret-key",
    "hunter2 hunter2\nhunter2",
    "--master=https://admin:hunter2@10.0.0.1:6443",
    "--kube-proxy-arg=token=hunter2",
    "--token-file=/etc/token",
    "--authentication-token-webhook=true",
    "--v=2",
)


def test_secrets_on_a_command_line_stay_on_the_node(
    node: Namespace, words: tuple[str, ...], path: Path | None, tmp_path: Path
) -> None:
    ran = _beside(node, words, path, _program(tmp_path, "kube-proxy", *_SECRETS))
    assert all(b"hunter2" not in content for content in ran.contents.values())
    line = ran.text("processes.txt").splitlines()[1]
    for kept in (
        "--token=<removed 7 bytes>",
        "--kubelet-arg=node-labels=a=b",
        "--agent-token <removed 7 bytes>",
        "--master=https://<removed 13 bytes>@10.0.0.1:6443",
        "--kube-proxy-arg=token=<removed 7 bytes>",
        "--token-file=/etc/token --authentication-token-webhook=true --v=2",
    ):
        assert kept in line


@pytest.mark.parametrize(
    "content", ["root:secret:1", "kind: Secret\nx: kind: KubeProxyConfiguration"]
)
def test_a_file_that_is_no_configuration_of_kube_proxy_is_not_sent(
    node: Namespace, config: Path, path: Path | None, content: str
) -> None:
    config.write_text(content)
    ran = _beside(
        node, shell("dash"), path, _program(config.parent, "kube-proxy", f"--config={config}")
    )
    assert "kube-proxy-config.yaml" not in ran.contents
    assert "none of kube-proxy" in ran.missing["kube-proxy-config.yaml"]


def test_without_kube_proxy_in_a_container_its_processes_are_unknown(
    node: Namespace, path: Path | None
) -> None:
    assert "container" in _beside(node, shell("dash"), path).missing["processes.txt"]


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503 if self.path == "/healthz" else 200)
        self.end_headers()
        self.wfile.write({"/proxyMode": b"iptables", "/configz": b"{}"}.get(self.path, b"{}"))

    def log_message(self, *_words: object) -> None:
        pass


@pytest.mark.parametrize("tool", ["curl", "wget"])
def test_kube_proxy_is_asked_where_its_configuration_says(
    node: Namespace, tmp_path: Path, config: Path, tool: str
) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"no {tool} here: kube-proxy is not asked with it")
    with node.entered():
        server = HTTPServer(("127.0.0.1", 20249), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        path = _with(programs(tmp_path / "bin"), tool)
        proxy = _program(config.parent, "kube-proxy", "--config", str(config))
        ran = _beside(node, shell("dash"), path, proxy)
    finally:
        server.shutdown()
        server.server_close()
    assert ran.text("kube-proxy-mode.txt") == "iptables"
    assert ran.text("kube-proxy-configz.json") == "{}"
    assert "10256" in " ".join(next(m.command for m in ran.stream.missing if "healthz" in m.name))


def test_the_node_that_this_runs_on_is_collected(node: Namespace) -> None:
    kept = Kept()
    with node.entered():
        stream = collect_local_node(Processes(), NodeSettings(node="node-a"), kept)
    assert stream.node == "node-a"
    assert stream.complete
    assert "KUBE-SERVICES" in kept.contents["iptables-save.txt"].decode()
