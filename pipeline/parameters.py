"""What the steps get as parameters that depend on a run: in one place, for a laptop's DAG and for a cluster's survey.

On a cluster the pipeline is compiled long before it runs.  There these values are made by the first task of each run,
and must be what the DAG itself would have made of the same configuration.
"""

from __future__ import annotations

import json
from typing import Any

from components.trainer.losses.config import given_class_weights
from pipeline.code_digest import code_digest
from pipeline.config import RunConfig
from pipeline.found import Found

_WHERE_IT_RUNS = {"kubeflow"}
"""Keys that say nothing of the model that is made."""


def data_config(config: RunConfig) -> str:
    """The configuration of the data, as ImageMaskExampleGen takes it."""
    return config.data.model_dump_json()


def run_config(config: RunConfig) -> str:
    """The whole configuration, as the manifest and the report have it: less where it runs."""
    return config.model_dump_json(by_alias=True, exclude=_WHERE_IT_RUNS)


def trainer_settings(config: RunConfig, found: Found) -> dict[str, Any]:
    """The Trainer's `custom_config`, see `components.trainer.run.run_fn`."""
    return {
        "trainer": config.trainer.model_dump_json(),
        "transform": config.transform.model_dump_json(),
        "classes": list(config.data.classes),
        "seed": config.seed,
        "class_weight": given_class_weights(config.trainer.class_weights, config.data.classes),
        "resume_root": found.resume_root,
        "encoder_weights": found.encoder_weights,
        "initial_model": found.initial_model,
        "code": code_digest("trainer"),
    }


def search_settings(config: RunConfig, found: Found) -> dict[str, Any]:
    """The search's `custom_config`, see `components.tuner.run.tuner_fn`; empty where nothing is searched for.

    A change of what no trial looks at, such as `trainer.epochs`, leaves it the same.
    """
    if config.tuner is None:
        return {}
    return {
        **trainer_settings(config, found),
        "trainer": config.tuner.trial(config.trainer, {}).model_dump_json(),
        "tuner": config.tuner.model_dump_json(),
        "code": code_digest("tuner"),
    }


def trainer_settings_text(config: RunConfig, found: Found) -> str:
    """`trainer_settings` as TFX's Trainer passes them on: `tfx.utils.json_utils.dumps` of plain values."""
    return json.dumps(trainer_settings(config, found), sort_keys=True)


def search_settings_text(config: RunConfig, found: Found) -> str:
    """`search_settings` as TFX's Tuner passes them on."""
    return json.dumps(search_settings(config, found), sort_keys=True)
