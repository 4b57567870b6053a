"""Decides whether a run would only reproduce the version already served."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipeline.config.run_config import RunConfig
from registry.manifest import Manifest

_NOT_OF_THE_MODEL = {
    "batch_prediction",
    "beam",
    "export",
    "kubeflow",
    "model_card",
    "pusher",
    "registry",
    "report",
    "sinks",
    "when_unchanged",
    "workspace",
}


def needs_training(config: RunConfig, data_fingerprint: str, served: Manifest | None) -> str:
    """Returns why a run must train; empty if data and training configuration are those of the served version.

    Args:
        config: The run's configuration.
        data_fingerprint: Fingerprint of the data that the run would read.
        served: Manifest of the served version; `None` before the first.
    """
    if served is None:
        return "nothing is served yet"
    if served.data_fingerprint != data_fingerprint:
        return f"the data is not that of the served version {served.version}"
    now, then = _recipe(json.loads(config.model_dump_json(by_alias=True))), _recipe(served.config)
    different = sorted(key for key in {*now, *then} if now.get(key) != then.get(key))
    if different:
        return f"{', '.join(different)} of the configuration differ from those of the served version {served.version}"
    return ""


def _recipe(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the part of a configuration that a model depends on; the dates are covered by the data's fingerprint."""
    recipe = {key: value for key, value in config.items() if key not in _NOT_OF_THE_MODEL}
    data = dict(recipe.get("data", {}))
    data["source"] = {key: value for key, value in dict(data.get("source", {})).items() if key != "dates"}
    return {**recipe, "data": data}
