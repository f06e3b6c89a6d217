"""Secrets planted in every place of a cluster are in no byte of its bundle."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import pytest

from tests.bundles import packed, sample
from tests.collect.api_server.capture import open_capture
from tests.collect.collected import Collected
from tests.collect.conftest import Labs
from tests.collect.planted import found_in, plant


def test_no_planted_secret_is_in_the_bundle_nor_in_what_is_said(labs: Labs, tmp_path: Path) -> None:
    capture, secrets = plant(open_capture(sample("healthy")))
    lab = labs.serve(capture, containers=True)
    secrets["bearer token of the kubeconfig"] = lab.server.token
    done = lab.collect(tmp_path / "b.tgz")
    assert done.returncode in {0, 1}, done.stderr
    bundle = Collected(tmp_path / "b.tgz")
    assert b"flags.go:64] FLAG: --token" in bundle.files["nodes/node-a/kube-proxy.log"]
    assert b"--token" in bundle.files["nodes/node-a/processes.txt"]
    assert found_in(tmp_path / "b.tgz", secrets) == []
    (tmp_path / "said").write_text(done.stdout + done.stderr)
    assert found_in(tmp_path / "said", secrets) == []
    assert lab.server.asked(lambda request: request.asked.resource == "secrets") == []


@pytest.mark.parametrize(
    "hidden",
    [
        lambda secret: secret,
        lambda secret: b"x" + base64.b64encode(b"user:" + secret + b"!"),
        lambda secret: base64.urlsafe_b64encode(b"\xff\xfe" + secret),
        lambda secret: gzip.compress(b"text " + secret),
    ],
    ids=["plain", "base64", "base64 for addresses", "packed"],
)
def test_the_search_finds_what_is_hidden(tmp_path: Path, hidden: object) -> None:
    secret = "Zq7-Hidden-8fKw2Vn4"
    assert callable(hidden)
    bundle = packed(tmp_path / "b.tgz", {"cluster/pods.json": hidden(secret.encode())})
    assert len(found_in(bundle, {"here": secret})) >= 1
    assert found_in(bundle, {"here": secret[::-1]}) == []
