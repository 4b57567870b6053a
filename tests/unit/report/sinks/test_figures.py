"""Results as flat names: nothing is lost, nothing is invented, and every name is one that trackers take."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from components.report.sinks.figures import epoch_metrics, final_metrics, parameters, plain_name


def test_the_configuration_is_flat(make_report) -> None:
    config = {"name": "sample", "trainer": {"epochs": 3, "loss": [{"type": "dice"}], "average": None}, "beam": {}}
    assert dict(parameters(config)) == {
        "name": "sample",
        "trainer.epochs": "3",
        "trainer.loss": "[{'type': 'dice'}]",
        "trainer.average": "",
        "beam": "{}",
    }


def test_metrics_are_those_of_the_evaluation_with_their_bounds(make_report) -> None:
    evaluation = make_report().evaluation
    found = final_metrics(evaluation)
    overall = evaluation.candidate.overall
    assert found["test/mean_iou"] == overall.mean_iou.value
    assert found["test/iou/roof"] == overall.iou["roof"].value
    assert found.get("test/mean_iou.low") == overall.mean_iou.low
    assert len([name for name in found if "=" in name]) == 0
    of_whole = final_metrics(evaluation, with_slices=False)
    assert of_whole == {name: value for name, value in found.items() if not name.startswith("test/light_night/")}
    assert len(of_whole) < len(found)


def test_epochs_of_folds_are_kept_apart(make_report) -> None:
    (history,) = make_report(epochs=2).trainings
    assert {each.name.partition("/")[0] for each in epoch_metrics((history, history))} == {"fold_1", "fold_2"}
    assert {each.epoch for each in epoch_metrics((history,))} == {1, 2}


@given(st.text())
def test_a_name_has_only_characters_that_trackers_take(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_\-. /]*", plain_name(name))
    assert len(plain_name(name)) == len(name)
