"""The `tuner_fn` that TFX's Tuner calls."""

from __future__ import annotations

import gc
import os

import keras_tuner
import tensorflow as tf
import tf_keras as keras
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from common.errors import UserError
from components.trainer.arguments import read_arguments
from components.trainer.config import TrainerConfig
from components.trainer.strategy import choose_strategy
from components.trainer.tensorboard.config import NOTHING
from components.tuner.config import TunerConfig
from components.tuner.search import Search


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Returns the search described by `fn_args.custom_config["tuner"]`, over the training described by the rest.

    Raises:
        UserError: there are several workers.
    """
    strategy = choose_strategy()
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        raise UserError("a search runs on one machine, with all its devices: start it without TF_CONFIG")
    # Another version of KerasTuner may draw other values, which the records and weights do not match.
    told = read_arguments(fn_args, keras_tuner.__version__)

    def train_trial(config: TrainerConfig, resume_dir: str, until: int) -> float:
        keras.backend.clear_session()  # Of the previous trial.
        gc.collect()
        events = os.path.join(resume_dir, "events")
        config = config.model_copy(update={"tensorboard": NOTHING})  # Nobody looks at a trial.
        result = told.train(config, resume_dir, events, strategy, until)
        if result is None:
            raise RuntimeError("one machine is its own chief")
        return result.history.epochs[result.history.best_epoch - 1].score

    config = TunerConfig.model_validate_json(fn_args.custom_config["tuner"])
    search = Search(config, told.config, told.seed, train_trial, told.resume_dir, scratch=fn_args.working_dir)
    return TunerFnResult(tuner=search, fit_kwargs={})
