"""A bundle of some namespaces says what is wrong there, and nothing of the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.bundles import files_of, packed
from tests.command_line import svcbundle

NAMESPACES = ("default", "kube-system")


def restricted(place: Path, missing: list[dict[str, str]]) -> Path:
    """Return the sample as `svcbundle collect --namespace default` would have collected it."""
    files = dict(files_of("selector-no-match"))
    manifest = json.loads(files["manifest.json"])
    for entry in manifest["entries"]:
        del entry["sha256"]
        del entry["bytes"]
        if entry["path"].startswith("cluster/") and entry["path"] in files:
            entry["truncated"] = _restrict(files, entry["path"])
    manifest |= {"namespaces": NAMESPACES, "missing": missing}
    files["manifest.json"] = json.dumps(manifest).encode()
    return packed(place / "b.tgz", files)


def _restrict(files: dict[str, bytes], path: str) -> bool:
    document = json.loads(files[path])
    items = document.get("items", [])
    if not any(item["metadata"].get("namespace") for item in items):
        return False
    document["items"] = [i for i in items if i["metadata"].get("namespace") in NAMESPACES]
    files[path] = json.dumps(document).encode()
    return True


def report(bundle: Path) -> Any:
    done = svcbundle("analyze", str(bundle), "--format", "json", "--fail-on", "never", "-q")
    return json.loads(done.out)


def test_services_of_these_namespaces_are_judged(tmp_path: Path) -> None:
    found = report(restricted(tmp_path, []))
    assert {s["namespace"] for s in found["services"]} <= set(NAMESPACES)
    assert "broken" in {s["verdict"] for s in found["services"]}


def test_rules_of_services_that_were_not_collected_raise_no_alarm(tmp_path: Path) -> None:
    for finding in report(restricted(tmp_path, []))["findings"]:
        assert finding["severity"] != "error" or finding["service"].partition("/")[0] in NAMESPACES


def test_a_restricted_list_that_broke_off_judges_nobody(tmp_path: Path) -> None:
    missing = [{"path": f"cluster/{r}.2.json", "reason": "cut"} for r in ("services", "pods")]
    found = report(restricted(tmp_path, missing))
    assert {s["verdict"] for s in found["services"]} <= {"unknown"}
