"""The `run_fn` that TFX's Trainer calls."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components import progress
from components.trainer.config import TrainerConfig
from components.trainer.export import ServedModel, export
from components.trainer.history import HISTORY_FILE
from components.trainer.strategy import choose_strategy
from components.trainer.training import Places, train
from components.trainer.warm_start import find_warm_start
from components.transform.config import TransformConfig


def run_fn(fn_args: FnArgs) -> None:
    """Trains and exports; of several workers, which `TF_CONFIG` names, each calls it and the chief exports.

    `fn_args.custom_config` holds `trainer` and `transform` (their configurations as JSON), `classes` (names),
    `seed`, `class_weight`, the weight of each class where the configuration gives them, and `resume_root`, the folder
    in which a killed training finds itself again.
    """
    settings: dict[str, Any] = fn_args.custom_config
    strategy = choose_strategy()  # Of several workers it must be made before anything else.
    config = TrainerConfig.model_validate_json(settings["trainer"])
    transform = TransformConfig.model_validate_json(settings["transform"])
    classes: list[str] = settings["classes"]
    resume_dir = os.path.join(settings["resume_root"], _training_key(fn_args))
    tf.io.gfile.makedirs(resume_dir)
    places = Places(
        train_files=_files(fn_args.train_files),
        eval_files=_files(fn_args.eval_files),
        resume_dir=resume_dir,
        tensorboard_dir=os.path.join(fn_args.model_run_dir, "tensorboard"),
        initial_model_dir=find_warm_start(config.warm_start, fn_args.base_model),
    )
    result = train(config, transform, len(classes), int(settings["seed"]), places, settings["class_weight"], strategy)
    if result is None:
        progress.report("trained; the chief writes the model")
        return
    network, history = result
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, HISTORY_FILE), "w") as file:
        file.write(history.model_dump_json(indent=1))
    progress.update("exporting the model")
    layer = tft.TFTransformOutput(fn_args.transform_output).transform_features_layer()
    served = ServedModel(network, layer, transform, classes, config.max_pixels, config.inference)
    export(served, fn_args.serving_model_dir)
    tf.io.gfile.rmtree(resume_dir)
    best = history.epochs[history.best_epoch - 1].metrics
    progress.report(
        f"trained {len(history.epochs)} epochs in {history.seconds:.0f} s ({history.stopped}); "
        f"best is epoch {history.best_epoch}: eval IoU {best['val_mean_iou']:.3f}, Dice {best['val_mean_dice']:.3f}"
    )


def _files(patterns: list[str]) -> list[str]:
    return sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))


def _training_key(fn_args: FnArgs) -> str:
    """Names a training by what goes into it, so that only the same one is resumed."""
    data = [fn_args.train_files, fn_args.eval_files, fn_args.transform_output]
    inputs = [fn_args.custom_config, *data, fn_args.base_model]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
