"""Which labels are probably meant by a selector that does not match them."""

from __future__ import annotations

import pytest

from analyzer.expect.label_distance import Deviation, steps_to_labels

MOVED, ALIKE, OTHER, LACKING = (
    Deviation.MOVED,
    Deviation.ALIKE,
    Deviation.OTHER,
    Deviation.LACKING,
)


@pytest.mark.parametrize(
    ("selector", "labels", "steps"),
    [
        pytest.param({"run": "till"}, {"app": "till"}, [("run", MOVED, "app")], id="another key"),
        pytest.param({"app": "tills"}, {"app": "till"}, [("app", ALIKE, "app")], id="a slip"),
        pytest.param(
            {"app": "web"}, {"app": "webhook"}, [("app", ALIKE, "app")], id="a longer name"
        ),
        pytest.param({"app": "till"}, {"app": "TILL"}, [("app", ALIKE, "app")], id="other case"),
        pytest.param(
            {"app": "till", "tier": "back"},
            {"app": "till", "tier": "front"},
            [("tier", OTHER, "tier")],
            id="same program, another tier",
        ),
        pytest.param(
            {"app": "till", "tier": "back"},
            {"app": "till"},
            [("tier", LACKING, "tier")],
            id="same program without the label",
        ),
        pytest.param(
            {"app": "till", "part-of": "store"},
            {"app": "stock", "part-of": "store"},
            None,
            id="another program of the same whole",
        ),
        pytest.param({"app": "till"}, {"tier": "front"}, None, id="nothing in common"),
        pytest.param(
            {"app": "till", "canary": "true"},
            {"app": "stock", "injected": "true"},
            None,
            id="a flag is no value to recognise",
        ),
        pytest.param(
            {"part-of": "store", "release": "two"},
            {"part-of": "store"},
            [("release", LACKING, "release")],
            id="all but one label without a program's name",
        ),
    ],
)
def test_steps(
    selector: dict[str, str],
    labels: dict[str, str],
    steps: list[tuple[str, Deviation, str]] | None,
) -> None:
    found = steps_to_labels(selector, labels)
    told = None if found is None else [(s.key, s.deviation, s.actual_key) for s in found]
    assert told == steps


def test_a_value_under_another_key_is_nearer_than_a_similar_one_and_that_than_another() -> None:
    def length(labels: dict[str, str]) -> float:
        steps = steps_to_labels({"app": "till", "tier": "back"}, {**labels, "app": "till"})
        return sum(s.length for s in steps or ())

    assert length({"layer": "back"}) < length({"tier": "backs"}) < length({"tier": "front"})
