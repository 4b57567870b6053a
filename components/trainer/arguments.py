"""Typed arguments of `run_fn` and `tuner_fn`."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from components import component_keys as keys
from components.trainer.class_list import write_class_list
from components.trainer.config import TrainerConfig
from components.trainer.hyperparameters import Values, searched, with_hyperparameters
from components.trainer.record_files import Files, FoldFiles
from components.trainer.training import Places, Result, train
from components.trainer.warm_start import find_warm_start
from components.transform.config import TransformConfig
from components.transform.pixel_format import PixelFormat, pixel_format


class Arguments(NamedTuple):
    """Arguments of a training."""

    config: TrainerConfig
    """Configuration, including the values chosen by the search, if any."""
    searched: Values
    transform: TransformConfig
    pixels: PixelFormat
    classes: tuple[str, ...]
    seed: int
    class_weight_C: Sequence[float] | None
    train_files: Files
    eval_files: Files
    initial_model_dir: str | None
    resume_dir: str
    """Existing checkpoint folder from which a killed attempt is resumed."""

    def train(
        self,
        config: TrainerConfig,
        resume_dir: str,
        tensorboard_dir: str,
        strategy: tf.distribute.Strategy,
        until: int | None = None,
    ) -> Result | None:
        """Trains on this data as `config` says; the rest is as in `components.trainer.training.train`."""
        places = Places(self.train_files, self.eval_files, resume_dir, tensorboard_dir, self.initial_model_dir)
        return train(
            config,
            self.transform,
            len(self.classes),
            self.seed,
            places,
            self.class_weight_C,
            strategy,
            until,
            self.pixels,
            self.classes,
        )


def read_arguments(fn_args: FnArgs, *more: str) -> Arguments:
    """Reads `fn_args`, and finds the checkpoint of a killed attempt.

    `fn_args.custom_config` holds `trainer` and `transform` (their configurations as JSON), `classes` (names), `seed`,
    `bands` and `depth` of images of bands, `class_weight`, the weight of each class if configured,
    `fold`, the fold that is held out in cross-validation, and `resume_root`, the folder of checkpoints from which a
    killed attempt is resumed if none of these arguments, nor `more`, has changed.

    Raises:
        UserError: the configured initial model does not exist, or has other classes.
    """
    settings: dict[str, Any] = fn_args.custom_config
    config = TrainerConfig.model_validate_json(settings[keys.TRAINER])
    values = searched(fn_args.hyperparameters)
    resume_dir = os.path.join(settings[keys.RESUME_ROOT], _key(fn_args, more))
    classes = tuple(settings[keys.CLASSES])
    initial_model_dir = find_warm_start(config.warm_start, fn_args.base_model, classes)
    write_class_list(resume_dir, classes)
    return Arguments(
        config=with_hyperparameters(config, values),
        searched=values,
        transform=TransformConfig.model_validate_json(settings[keys.TRANSFORM]),
        pixels=pixel_format(settings),
        classes=classes,
        seed=int(settings[keys.SEED]),
        class_weight_C=settings[keys.CLASS_WEIGHT],
        train_files=_files(fn_args.train_files, settings, held_out=False),
        eval_files=_files(fn_args.eval_files, settings, held_out=True),
        initial_model_dir=initial_model_dir,
        resume_dir=resume_dir,
    )


def _files(patterns: list[str], settings: dict[str, Any], held_out: bool) -> Files:
    """Returns the files of a split, or with a fold the part of the files that is held out, or not."""
    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    return FoldFiles(tuple(files), settings[keys.FOLD], held_out) if keys.FOLD in settings else files


def _key(fn_args: FnArgs, more: Sequence[str]) -> str:
    """Returns a digest of an attempt's inputs, so that only an identical one is resumed."""
    data = [fn_args.train_files, fn_args.eval_files, fn_args.transform_graph_path]
    inputs = [fn_args.custom_config, *data, fn_args.base_model, fn_args.hyperparameters, *more]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
