"""The parameters of steps whose value is known only when a run starts: one source for a laptop's DAG and a cluster.

On a cluster the pipeline is compiled long before it runs.  There the first task of each run, the survey, computes these
values, which must be those that the DAG itself would have computed from the same configuration.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from components import component_keys as keys
from components.trainer.losses.config import given_class_weights
from pipeline.config.run_config import RunConfig
from pipeline.dag.code_digest import code_digest
from pipeline.dag.run_state import RunState
from pipeline.dag.steps import TRAINER, TUNER

_WHERE_IT_RUNS = {"kubeflow"}
"""Keys that say nothing of the model that is made."""


@dataclass(frozen=True)
class RunValues:
    """Values that a run gives to its steps as parameters, as texts; `StepSpec.run_values` says which step takes which.

    Attributes:
        data_config: The data's configuration, as ImageMaskExampleGen takes it.
        data_fingerprint: See `RunState`, as for the two states and `drift_baseline`.
        drift_baseline: See `RunState`.
        registry_state: See `RunState`.
        holdings_state: See `RunState`.
        search_settings: JSON of the Tuner's `custom_config`, as TFX's Tuner writes it.
        trainer_settings: JSON of the Trainer's `custom_config`, as TFX's Trainer writes it.
        run_config: The whole configuration less where it runs, for the manifest and the report.
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
        """Each value by the name of its field."""
        return asdict(self)


def run_values(config: RunConfig, state: RunState) -> RunValues:
    """The values of a run of `config` that starts in `state`."""
    return RunValues(
        data_config=config.data.model_dump_json(),
        data_fingerprint=state.data_fingerprint,
        drift_baseline=state.drift_baseline,
        registry_state=state.registry_state,
        holdings_state=state.holdings_state,
        search_settings=_as_tfx_writes(_search_settings(config, state)),
        trainer_settings=_as_tfx_writes(_trainer_settings(config, state)),
        run_config=config.model_dump_json(by_alias=True, exclude=_WHERE_IT_RUNS),
    )


def _as_tfx_writes(settings: dict[str, Any]) -> str:
    """As `tfx.utils.json_utils.dumps` writes plain values."""
    return json.dumps(settings, sort_keys=True)


def _trainer_settings(config: RunConfig, state: RunState) -> dict[str, Any]:
    """The Trainer's `custom_config`, see `components.trainer.run.run_fn`."""
    return {
        keys.TRAINER: config.trainer.model_dump_json(),
        keys.TRANSFORM: config.transform.model_dump_json(),
        keys.CLASSES: list(config.data.classes),
        keys.SEED: config.seed,
        keys.CLASS_WEIGHT: given_class_weights(config.trainer.class_weights, config.data.classes),
        keys.RESUME_ROOT: state.resume_root,
        "encoder_weights": state.encoder_weights,
        "initial_model": state.initial_model,
        "code": code_digest(TRAINER),
    }


def _search_settings(config: RunConfig, state: RunState) -> dict[str, Any]:
    """The Tuner's `custom_config`, see `components.tuner.run.tuner_fn`; empty without a tuner.

    A change of what no trial looks at, such as `trainer.epochs`, leaves it the same.
    """
    if config.tuner is None:
        return {}
    return {
        **_trainer_settings(config, state),
        keys.TRAINER: config.tuner.trial(config.trainer, {}).model_dump_json(),
        "tuner": config.tuner.model_dump_json(),
        "code": code_digest(TUNER),
    }
