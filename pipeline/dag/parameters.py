"""Run-time parameters: values of step parameters that are known only when a run starts, locally or on a cluster.

On a cluster the pipeline is compiled long before it runs.  There the first task of each run, the survey, computes these
values, which must equal those that a local run would compute from the same configuration.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from components import component_keys as keys
from components.example_gen.config import DataConfig
from components.trainer.losses.config import given_class_weights
from pipeline.config.run_config import RunConfig
from pipeline.dag.code_digest import code_digest
from pipeline.dag.run_state import RunState
from pipeline.dag.steps import TRAINER, TUNER

_NOT_OF_THE_MODEL = {"batch_prediction", "beam", "kubeflow"}
"""Configuration keys that are neither in the manifest nor in the report."""


@dataclass(frozen=True)
class RunValues:
    """Values that a run passes to its steps as string parameters; `StepSpec.run_values` maps them to the steps.

    Attributes:
        data_config: Configuration of the data, in ImageMaskExampleGen's format.
        data_fingerprint: See `RunState`.
        drift_baseline: See `RunState`.
        registry_state: See `RunState`.
        holdings_state: See `RunState`.
        search_settings: JSON of the Tuner's `custom_config`, as TFX's Tuner writes it.
        trainer_settings: JSON of the Trainer's `custom_config`, as TFX's Trainer writes it.
        run_config: The configuration without the keys about where it runs and what the model is used for, for the
            manifest and the report.
    """

    data_config: str
    data_fingerprint: str
    drift_baseline: str
    registry_state: str
    holdings_state: str
    search_settings: str
    trainer_settings: str
    run_config: str

    def as_texts(self) -> dict[str, str]:
        """Returns each value by the name of its field."""
        return asdict(self)


def run_values(config: RunConfig, state: RunState) -> RunValues:
    """Computes the values for a run of `config` that starts in `state`."""
    return RunValues(
        data_config=config.data.model_dump_json(),
        data_fingerprint=state.data_fingerprint,
        drift_baseline=state.drift_baseline,
        registry_state=state.registry_state,
        holdings_state=state.holdings_state,
        search_settings=_as_tfx_writes(_search_settings(config, state)),
        trainer_settings=_as_tfx_writes(_trainer_settings(config, state)),
        run_config=config.model_dump_json(by_alias=True, exclude=_NOT_OF_THE_MODEL),
    )


def _as_tfx_writes(settings: dict[str, Any]) -> str:
    """Serialises plain values as `tfx.utils.json_utils.dumps` does."""
    return json.dumps(settings, sort_keys=True)


def bands_of(data: DataConfig) -> dict[str, Any]:
    """Returns the entries of a `custom_config` that describe images of bands; RGB has none."""
    return {keys.BANDS: len(data.bands.used), keys.DEPTH: data.bands.depth} if data.bands else {}


def _trainer_settings(config: RunConfig, state: RunState) -> dict[str, Any]:
    """Returns the Trainer's `custom_config`, see `components.trainer.run.run_fn`."""
    return {
        keys.TRAINER: config.trainer.model_dump_json(),
        keys.TRANSFORM: config.transform.model_dump_json(),
        **bands_of(config.data),
        keys.CLASSES: list(config.data.classes),
        keys.SEED: config.seed,
        keys.CLASS_WEIGHT: given_class_weights(config.trainer.class_weights, config.data.classes),
        keys.RESUME_ROOT: state.resume_root,
        "encoder_weights": state.encoder_weights,
        "initial_model": state.initial_model,
        "code": code_digest(TRAINER),
    }


def _search_settings(config: RunConfig, state: RunState) -> dict[str, Any]:
    """Returns the Tuner's `custom_config`, see `components.tuner.run.tuner_fn`; empty without a tuner.

    It does not depend on keys that no trial uses, such as `trainer.epochs`.
    """
    if config.tuner is None:
        return {}
    return {
        **_trainer_settings(config, state),
        keys.TRAINER: config.tuner.trial(config.trainer, {}).model_dump_json(),
        "tuner": config.tuner.model_dump_json(),
        "code": code_digest(TUNER),
    }
