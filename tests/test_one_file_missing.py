"""Taking any one file out of a bundle turns results into *not evaluated*: never into a pass, never into an alarm."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.bundle.reader import Bundle, open_bundle
from analyzer.checks import catalogue
from analyzer.examination import Examination, examine
from analyzer.load import load
from analyzer.model.severity import Severity

SAMPLES = ("kube-proxy-stopped", "endpoint-chain-emptied", "nameserver-wrong")
Said = tuple[str, str, str]


class Without:
    """A bundle that lacks one file."""

    def __init__(self, bundle: Bundle, missing: str) -> None:
        self._bundle = bundle
        self.members = tuple(path for path in bundle.members if path != missing)

    def __getattr__(self, name: str) -> object:
        return getattr(self._bundle, name)


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_missing_file_leaves_gaps_and_makes_no_alarm(samples: Path, sample: str) -> None:
    with open_bundle([samples / sample / "bundle.tgz"]) as bundle:
        whole = _examine(bundle)
        for path in _worth_removing(bundle):
            part = _examine(Without(bundle, path))
            assert not part.defects, part.defects[0].trace
            new = _alarms(part) - _alarms(whole)
            assert not new, f"without {path}: {sorted(new)}"
            passed = {f for f in _found(whole) - _found(part) if not _open(part, f)}
            assert not passed, f"without {path} these pass: {sorted(passed)}"


def _worth_removing(bundle: Bundle) -> list[str]:
    """One pod's resolv.conf stands for all of them; all files of the cluster and of the broken nodes count."""
    pods = [path for path in bundle.members if path.startswith("pods/")]
    return [path for path in bundle.members if not path.startswith("pods/")] + pods[:1]


def _examine(bundle: object) -> Examination:
    cluster = load(bundle)  # type: ignore[arg-type]
    return examine(cluster, catalogue(), cluster.nodes.values(), lambda _: None)


def _found(examination: Examination) -> set[Said]:
    return {
        (check.slug, str(problem.service), problem.node or "")
        for check, problem in examination.problems
        if check.station.value != "bundle" and problem.severity is not Severity.INFO
    }


def _alarms(examination: Examination) -> set[Said]:
    return {
        (check.slug, str(problem.service), problem.node or "")
        for check, problem in examination.problems
        if check.station.value != "bundle"
        and (problem.severity or check.severity) is not Severity.INFO
    }


def _open(examination: Examination, said: Said) -> bool:
    slug, service, node = said
    return any(
        gap.check.slug == slug and gap.subject in {service, node, "cluster"}
        for gap in examination.not_evaluated
    )
