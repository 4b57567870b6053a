"""What TFX hands to `run_fn` and `tuner_fn`, typed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from components import component_keys as keys
from components.trainer.config import TrainerConfig
from components.trainer.hyperparameters import Values, searched, with_hyperparameters
from components.trainer.warm_start import find_warm_start
from components.transform.config import TransformConfig


class Arguments(NamedTuple):
    """All that a training is told."""

    config: TrainerConfig
    """With what the search chose, where there was one."""
    searched: Values
    transform: TransformConfig
    classes: tuple[str, ...]
    seed: int
    class_weight_C: Sequence[float] | None
    train_files: list[str]
    eval_files: list[str]
    initial_model_dir: str | None
    resume_dir: str
    """Where an attempt that is killed leaves its work for the next one; it exists."""


def read_arguments(fn_args: FnArgs, *more: str) -> Arguments:
    """Reads `fn_args`, and looks for what a killed attempt has left.

    `fn_args.custom_config` holds `trainer` and `transform` (their configurations as JSON), `classes` (names), `seed`,
    `class_weight`, the weight of each class where the configuration gives them, and `resume_root`, the folder in which
    a killed attempt finds itself again if nothing of all this, nor of `more`, has changed.

    Raises:
        UserError: there is no model to begin with where the configuration says so.
    """
    settings: dict[str, Any] = fn_args.custom_config
    config = TrainerConfig.model_validate_json(settings[keys.TRAINER])
    values = searched(fn_args.hyperparameters)
    resume_dir = os.path.join(settings[keys.RESUME_ROOT], _key(fn_args, more))
    tf.io.gfile.makedirs(resume_dir)
    return Arguments(
        config=with_hyperparameters(config, values),
        searched=values,
        transform=TransformConfig.model_validate_json(settings[keys.TRANSFORM]),
        classes=tuple(settings[keys.CLASSES]),
        seed=int(settings[keys.SEED]),
        class_weight_C=settings[keys.CLASS_WEIGHT],
        train_files=_files(fn_args.train_files),
        eval_files=_files(fn_args.eval_files),
        initial_model_dir=find_warm_start(config.warm_start, fn_args.base_model),
        resume_dir=resume_dir,
    )


def _files(patterns: list[str]) -> list[str]:
    return sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))


def _key(fn_args: FnArgs, more: Sequence[str]) -> str:
    """Names an attempt by what goes into it, so that only the same one is resumed."""
    data = [fn_args.train_files, fn_args.eval_files, fn_args.transform_graph_path]
    inputs = [fn_args.custom_config, *data, fn_args.base_model, fn_args.hyperparameters, *more]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
