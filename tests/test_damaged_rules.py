"""One rule of a healthy node damaged: what is found, that it is one cause, and that no effect means no error.

Each case edits the dump of node-b in a sample; its roots are all findings about rules that no other one explains.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from analyzer.bundle.reader import open_bundle
from analyzer.checks import catalogue
from analyzer.diagnosis import diagnose
from analyzer.examination import examine
from analyzer.findings import Finding
from analyzer.load import load
from analyzer.model.station import Station

CHECKS = [c for c in catalogue() if c.station is Station.RULES]
Unpack = Callable[[str], Path]


@dataclass(frozen=True)
class Damage:
    """A replacement in the dump, and what is wrong with it afterwards."""

    pattern: str
    replacement: str
    roots: tuple[str, ...]
    """`severity slug`, sorted; empty where the damage is without effect."""

    sample: str = "healthy"
    times: int = 1


def without(pattern: str, *roots: str, sample: str = "healthy", times: int = 1) -> Damage:
    """Delete the lines in which the pattern is found."""
    return Damage(rf"^.*(?:{pattern}).*\n", "", roots, sample, times)


def old(pattern: str, replacement: str, *roots: str) -> Damage:
    """Damage the rules of kube-proxy 1.14."""
    return Damage(pattern, replacement, roots, "old-kube-proxy")


CASES = {
    "nothing": Damage("^# Completed", "# Completed", (), times=3),
    "jump from PREROUTING": without("-A PREROUTING .*-j KUBE-SERVICES", "error rules-hook-missing"),
    "jump from OUTPUT": without(
        "-A OUTPUT -m comment .*-j KUBE-SERVICES", "error rules-hook-missing"
    ),
    "jump from POSTROUTING": without("-j KUBE-POSTROUTING", "error rules-hook-missing"),
    "jump for one network only": Damage(
        "-A PREROUTING -m", "-A PREROUTING -s 10.244.0.0/16 -m", ("error rules-hook-missing",)
    ),
    "jump that only refusals need": without(
        "-A FORWARD .*-j KUBE-SERVICES", "info rules-hook-missing"
    ),
    "all rules of nat": without(
        '-A KUBE-SERVICES -[dm] .*(IP"|nodeports).*-j', "error rules-absent", times=22
    ),
    "cluster IP": without("shop/cart cluster IP.*-j KUBE-SVC", "error rules-service-missing"),
    "another port at a cluster IP": Damage(
        r"(shop/cart cluster IP\" -m tcp --dport )7070( -j KUBE-SVC)",
        r"\g<1>7071\2",
        ("error rules-service-missing",),
    ),
    "another address": Damage(
        r"-d 198.51.100.20/32", "-d 198.51.100.21/32", ("error rules-service-missing",)
    ),
    "node port": without("--dport 30080", "error rules-service-missing"),
    "jump to the node ports": without("-j KUBE-NODEPORTS", "error rules-service-missing", times=2),
    "refusal of a Service without endpoints": without(
        "shop/payments:https has no endpoints", "info rules-service-missing"
    ),
    "jump into the chain of another Service": Damage(
        r"(shop/cart cluster IP\".*-j )KUBE-SVC-\w+",
        r"\1KUBE-SVC-GTJZQLNV22BQ36AO",
        ("error rules-endpoint-stale",),
    ),
    "jump from KUBE-EXT into another Service": Damage(
        r"(-A KUBE-EXT-GTJZQLNV22BQ36AO -j )KUBE-SVC-\w+",
        r"\1KUBE-SVC-N5W5PH5NLY2BP4HG",
        ("error rules-endpoint-stale",),
    ),
    "last endpoint of a Service": without(
        r'-> 10.244.2.24:8080" -j KUBE-SEP-YQTTLSIHOVPXXPQL', "error rules-endpoint-missing"
    ),
    "first endpoint of a Service": without(
        r'-> 10.244.0.22:8080" .*-j KUBE-SEP-6AGV7P436B2QOFWC', "error rules-endpoint-missing"
    ),
    "translation": without("-A KUBE-SEP-6AGV7P436B2QOFWC -p tcp", "error rules-chain-empty"),
    "way from KUBE-EXT to the Service": without(
        "-A KUBE-EXT-Z2R7M6XCV4WTBGYQ -j KUBE-SVC", "error rules-chain-empty"
    ),
    "declaration and rules of a chain": without(
        ":KUBE-SEP-6AGV7P436B2QOFWC|-A KUBE-SEP-6AGV7P436B2QOFWC",
        "error rules-jump-dangling",
        times=3,
    ),
    "translation to another address": Damage(
        "--to-destination 10.244.1.12:7070",
        "--to-destination 10.244.1.99:7070",
        ("error rules-destination-wrong",),
    ),
    "translation to another port": Damage(
        "--to-destination 10.244.1.12:7070",
        "--to-destination 10.244.1.12:7071",
        ("error rules-destination-wrong",),
    ),
    "probability": Damage(
        r"(-> 10.244.0.22:8080\" -m statistic --mode random --probability )\S+( -j KUBE-SEP-6AGV7P)",
        r"\g<1>0.90000000000\2",
        ("warning rules-probability-skewed",),
    ),
    "rule twice": Damage(
        r"^(.*-> 10.244.0.22:8080\" .*-j KUBE-SEP-6AGV7P436B2QOFWC\n)",
        r"\1\1",
        ("warning rules-probability-skewed",),
    ),
    "unmarked connections return": without(
        "-A KUBE-POSTROUTING .*-j RETURN", "warning rules-masquerade-needless"
    ),
    "masquerading": without("requiring SNAT.*-j MASQUERADE", "error rules-masquerade-missing"),
    "mark of outside clients": without(
        r"-A KUBE-SVC-N5W5PH5NLY2BP4HG ! -s", "info rules-masquerade-missing"
    ),
    "mark of an endpoint of this node": without(
        "-A KUBE-SEP-6YBHBZBULHQLDIX2 -s", "warning rules-masquerade-missing"
    ),
    "mark of an endpoint of another node": without("-A KUBE-SEP-6AGV7P436B2QOFWC -s"),
    "range of pods": Damage(
        r"(-A KUBE-SVC-N5W5PH5NLY2BP4HG ! -s )10.244.0.0/16",
        r"\g<1>172.30.0.0/16",
        ("warning rules-masquerade-needless",),
    ),
    "source range": without(
        "-A KUBE-FW-.* -s 192.168.77.200/32", "warning rules-source-ranges-mismatch"
    ),
    "way to the source ranges": without(
        "shop/web-lb:https loadbalancer IP.*-j KUBE-FW", "error rules-service-missing"
    ),
    "memory of session affinity": Damage(
        "-m recent --set --name KUBE-SEP-PASTJINCTZRZH6IF .*--rsource ",
        "",
        ("warning rules-affinity-mismatch",),
    ),
    "one side of session affinity": without(
        "--rcheck .*-j KUBE-SEP-PASTJINCTZRZH6IF", "warning rules-affinity-mismatch"
    ),
    "time of session affinity": Damage(
        "--seconds 10800", "--seconds 60", ("warning rules-affinity-mismatch",), times=2
    ),
    "refusal behind the translation": Damage(
        r"^(.*-A KUBE-SERVICES -d )\S+( .*\")shop/payments:https has(.*)--dport 443(.*\n)",
        r"\g<0>\g<1>10.96.204.239/32\2shop/cart has\3--dport 7070\4",
        (),
    ),
    "chain that nothing leads to": Damage(
        "^:KUBE-SEP-6AGV7P436B2QOFWC", r":KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]\n\g<0>", ()
    ),
    "1.14: nothing": old(r"^\*nat", "*nat"),
    "1.14: way through the node ports": old(
        r"(shop/web-nodeport:http\" -m tcp --dport 30080 -j )KUBE-MARK-MASQ",
        r"\1RETURN",
        "error rules-endpoint-missing",
    ),
    "1.14: source range": old(
        r"^.*-A KUBE-FW-.* -s 192.168.77.200/32.*\n", "", "warning rules-source-ranges-mismatch"
    ),
    "1.14: last rule of a local Service": old(
        r"(-A KUBE-XLB-AIOWKCZMN5S45HKT .*-j )KUBE-SEP-2C4G43TCPTYU644S",
        r"\1RETURN",
        "error rules-endpoint-missing",
    ),
    "1.14: mark of outside clients": old(
        r"^.*! -s \S+ -d 10.99.114.224/32 .*--dport 80 -j KUBE-MARK-MASQ\n",
        "",
        "info rules-masquerade-missing",
    ),
    "1.14: masquerading": old(r"^.*-j MASQUERADE\n", "", "error rules-masquerade-missing"),
    "1.14: twin of the rule for an external IP": old(
        r"^.*-d 198.51.100.20/32 .*--dst-type LOCAL.*\n", ""
    ),
}


@pytest.fixture(scope="module")
def unpack(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Unpack:
    """`unpack("healthy")`: the folder of an unpacked sample, made once."""
    made: dict[str, Path] = {}

    def one(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            with tarfile.open(samples / name / "bundle.tgz") as archive:
                archive.extractall(folder, filter="data")
            made[name] = next(path for path in folder.iterdir() if path.is_dir())
        return made[name]

    return one


@pytest.mark.parametrize("damage", CASES.values(), ids=CASES.keys())
def test_one_damage_is_one_finding(damage: Damage, unpack: Unpack) -> None:
    folder = unpack(damage.sample)
    dump = folder / "nodes" / "node-b" / "iptables-save.txt"
    whole = dump.read_text(encoding="utf-8")
    edited, times = re.subn(damage.pattern, damage.replacement, whole, flags=re.MULTILINE)
    assert times == damage.times, f"the pattern is found {times} times"
    dump.write_text(edited, encoding="utf-8")
    try:
        findings = _findings(folder)
    finally:
        dump.write_text(whole, encoding="utf-8")
    told = tuple(sorted(f"{f.severity.value} {f.check.slug}" for f in findings if not f.caused_by))
    assert told == damage.roots, "\n".join(f"{f.check.slug}: {f.problem.message}" for f in findings)
    assert {f.problem.node for f in findings} <= {"node-b"}


def _findings(folder: Path) -> tuple[Finding, ...]:
    with open_bundle([folder]) as bundle:
        cluster = load(bundle)
        examination = examine(cluster, CHECKS, cluster.nodes.values(), lambda _: None)
        assert not examination.defects, examination.defects[0].trace
        return diagnose(cluster, examination).findings
