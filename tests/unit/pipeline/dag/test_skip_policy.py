"""Whether a run could only make again what is served already."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from pipeline.config.run_config import RunConfig
from pipeline.dag.skip_policy import needs_training
from registry.manifest import Manifest

RAW: dict[str, Any] = {
    "name": "cells",
    "data": {"source": {"type": "folders", "root": "data/{date}", "window": 3}, "classes": ["background", "cell"]},
}


def config(**changes: Any) -> RunConfig:
    return RunConfig.model_validate(RAW | changes)


def dated(*days: int) -> RunConfig:
    plain = config()
    dates = tuple(datetime.date(2024, 5, day) for day in days)
    source = plain.data.source.model_copy(update={"dates": dates})
    return plain.model_copy(update={"data": plain.data.model_copy(update={"source": source})})


def served(made_from: RunConfig, exclude: frozenset[str] = frozenset({"kubeflow"})) -> Manifest:
    """A version as the pusher records it."""
    return Manifest(
        version=4,
        model_name="cells",
        created=datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc),
        content_hash="0",
        files={},
        data_fingerprint="data",
        baseline_version=None,
        metrics={},
        config=json.loads(made_from.model_dump_json(by_alias=True, exclude=set(exclude))),
        software={},
    )


def test_a_fresh_registry_needs_training() -> None:
    assert needs_training(config(), "data", None) == "nothing is served yet"


@pytest.mark.parametrize("exclude", [frozenset({"kubeflow"}), frozenset(), frozenset({"kubeflow", "when_unchanged"})])
def test_the_same_data_and_recipe_need_none(exclude: frozenset[str]) -> None:
    assert needs_training(config(), "data", served(config(), exclude)) == ""


def test_other_data_need_training() -> None:
    assert needs_training(config(), "other", served(config())) == "the data is not that of the served version 4"


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"trainer": {"epochs": 3}},
        {"transform": {"height": 64, "width": 64}},
        {"evaluator": {"slices": []}},
    ],
)
def test_another_recipe_needs_training(changes: dict[str, Any]) -> None:
    reason = needs_training(
        config(**changes), "data", served(config(evaluator={"thresholds": [{"metric": "mean_iou", "at_least": 0.1}]}))
    )
    assert reason.endswith("of the configuration differ from those of the served version 4")
    assert all(key in reason for key in changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"workspace": "elsewhere"},
        {"registry": "gs://bucket/registry"},
        {"report": {"best": 3}},
        {"export": {"formats": ["saved_model", "onnx"]}},
        {"pusher": {"strategy": "canary"}},
        {"sinks": {"mlflow": {"tracking_uri": "http://mlflow"}}},
        {"sinks": {"kubeflow_hub": {"server": "http://hub"}}},
        {"batch_prediction": {"source": {"type": "images", "root": "new"}, "out": "masks"}},
        {"kubeflow": {"image": "segpipe:2"}},
        {"when_unchanged": "skip"},
    ],
)
def test_what_does_not_influence_the_model_does_not_matter(changes: dict[str, Any]) -> None:
    assert needs_training(config(**changes), "data", served(config())) == ""


def test_the_dates_of_the_same_data_do_not_matter() -> None:
    assert needs_training(dated(1, 2, 3), "data", served(dated(1, 2))) == ""
    assert needs_training(config(), "data", served(dated(1, 2))) == ""
