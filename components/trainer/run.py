"""The `run_fn` that TFX's Trainer calls."""

from __future__ import annotations

import os

import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from common import progress
from common.plurals import counted
from components.trainer.arguments import read_arguments
from components.trainer.export import export
from components.trainer.history import HISTORY_FILE
from components.trainer.hyperparameters import described
from components.trainer.inference.model import ServedModel
from components.trainer.input_pipeline import read_source
from components.trainer.strategy import choose_strategy


def run_fn(fn_args: FnArgs) -> None:
    """Trains and exports; of several workers, which `TF_CONFIG` names, each calls it and the chief exports.

    `components.trainer.arguments` reads its arguments.
    """
    strategy = choose_strategy()  # With several workers the strategy must be created first.
    told = read_arguments(fn_args)
    if told.searched:
        progress.report(f"chosen by the search: {described(told.searched)}")
    events = os.path.join(fn_args.model_run_dir, "tensorboard")
    result = told.train(told.config, told.resume_dir, events, strategy)
    if result is None:
        progress.report("trained; the chief writes the model")
        return
    history = result.history.model_copy(update={"searched": dict(told.searched)})
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, HISTORY_FILE), "w") as file:
        file.write(history.model_dump_json(indent=1))
    progress.update("exporting the model")
    layer = tft.TFTransformOutput(fn_args.transform_output).transform_features_layer()
    config = told.config
    served = ServedModel(
        [result.network],
        layer,
        told.transform,
        told.classes,
        config.max_pixels,
        config.inference,
        read_source(told.train_files, told.pixels),
    )
    export(served, fn_args.serving_model_dir)
    tf.io.gfile.rmtree(told.resume_dir)
    best = history.epochs[history.best_epoch - 1]
    progress.report(
        f"trained {counted(len(history.epochs), 'epoch')} in {history.seconds:.0f} s ({history.stopped}); "
        f"best is epoch {history.best_epoch}: eval IoU {best.score:.3f}, Dice {best.metrics['val_mean_dice']:.3f}"
    )
