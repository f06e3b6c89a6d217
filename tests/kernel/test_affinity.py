"""Session affinity: the list of `-m recent` is in no bundle, but conntrack shows where a client was sent before."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from analyzer.parse.conntrack import parse_conntrack
from tests.kernel.lab import KernelLab, Probe
from tests.kernel.predict import Predictor

_RULES = """\
*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SVC-A - [0:0]
:KUBE-SEP-1 - [0:0]
:KUBE-SEP-2 - [0:0]
-A PREROUTING -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SVC-A -m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-1 --mask 255.255.255.255 --rsource -j KUBE-SEP-1
-A KUBE-SVC-A -m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-2 --mask 255.255.255.255 --rsource -j KUBE-SEP-2
-A KUBE-SVC-A -m statistic --mode random --probability 0.5 -j KUBE-SEP-1
-A KUBE-SVC-A -j KUBE-SEP-2
-A KUBE-SEP-1 -p tcp -m recent --set --name KUBE-SEP-1 --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.2.0.2:8080
-A KUBE-SEP-2 -p tcp -m recent --set --name KUBE-SEP-2 --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.2.0.3:8080
COMMIT
"""  # noqa: E501 - as kube-proxy writes them


@pytest.mark.skipif(shutil.which("conntrack") is None, reason="no conntrack: it is not asked")
def test_a_client_that_was_here_before_is_sent_to_the_same_endpoint(lab: KernelLab) -> None:
    lab.reset()
    lab.load(_RULES)
    lab.forget_clients()
    host = lab.told()
    for client in ("10.1.0.2", "10.1.0.3"):
        first = Probe("a", client, "10.96.0.1", 80, "tcp", lab.new_port())
        assert {o.destination for o in Predictor(host).outcomes(first)} == {"10.2.0.2", "10.2.0.3"}
        chosen = lab.send(first).destination
        shown = parse_conntrack("conntrack.txt", lab.connections()).value
        again = replace(first, source_port=lab.new_port())
        known = Predictor(replace(host, connections=shown)).outcomes(again)
        assert [(o.destination, o.chance) for o in known] == [(chosen, 1.0)]
        assert lab.send(again).destination == chosen
