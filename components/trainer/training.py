"""Training itself: data, model and configuration in; the best weights and the history out."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
import tf_keras as keras

from components.compatibility import skip_autograph_for_keras
from components.errors import UserError
from components.trainer.config import TrainerConfig
from components.trainer.course import Course
from components.trainer.history import TrainingHistory
from components.trainer.input_pipeline import (
    count_records,
    evaluation_dataset,
    read_constants,
    training_dataset,
)
from components.trainer.losses.total import build_loss
from components.trainer.metrics import SegmentationMetrics
from components.trainer.models import build_model
from components.transform.config import TransformConfig


class Places(NamedTuple):
    """Where a training reads and writes."""

    train_files: Sequence[str]
    eval_files: Sequence[str]
    resume_dir: str
    tensorboard_dir: str


def train(
    config: TrainerConfig,
    transform: TransformConfig,
    num_classes: int,
    seed: int,
    places: Places,
    class_weight_C: Sequence[float] | None = None,
) -> tuple[keras.Model, TrainingHistory]:
    """Trains, going on from `places.resume_dir` if an earlier attempt was killed there.

    `class_weight_C` replaces what Transform computed.

    Returns:
        The model with the weights of its best epoch, and the history.

    Raises:
        UserError: a split holds no record.
    """
    skip_autograph_for_keras()
    keras.utils.set_random_seed(seed)
    constants = read_constants(places.train_files, num_classes)
    train_pictures, eval_pictures = count_records(places.train_files), count_records(places.eval_files)
    if not eval_pictures:
        raise UserError("the eval split is empty, so no epoch can be told from another: raise data.split.eval")
    steps = math.ceil(train_pictures / config.batch_size)
    model = build_model(config.model, transform, num_classes, constants.channel_mean_3, constants.channel_std_3)
    model.compile(
        optimizer=keras.optimizers.Adam(_learning_rate(config, steps)),
        loss=build_loss(config.loss, constants.class_weight_C if class_weight_C is None else class_weight_C),
        metrics=[SegmentationMetrics(num_classes)],
    )
    course = Course(places.resume_dir, config, steps)
    model.fit(
        training_dataset(places.train_files, config, transform, seed),
        validation_data=evaluation_dataset(places.eval_files, config.batch_size, transform),
        epochs=config.epochs,
        verbose=0,
        callbacks=[
            course,
            keras.callbacks.TensorBoard(places.tensorboard_dir, write_graph=False, update_freq="epoch"),
            keras.callbacks.BackupAndRestore(os.path.join(places.resume_dir, "backup"), delete_checkpoint=False),
        ],
    )
    course.load_best()
    return model, TrainingHistory(
        epochs=tuple(course.epochs),
        best_epoch=course.best.epoch,
        parameters=sum(math.prod(weight.shape) for weight in model.trainable_weights),
        seconds=course.seconds,
        milliseconds_per_step=course.milliseconds_per_step,
        device=_device(),
        stopped=course.stopped,
        train_pictures=train_pictures,
        eval_pictures=eval_pictures,
    )


def _learning_rate(config: TrainerConfig, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    if config.schedule == "constant":
        return config.learning_rate
    return keras.optimizers.schedules.CosineDecay(config.learning_rate, steps * config.epochs)


def _device() -> str:
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"{os.cpu_count()} CPU cores"
    return ", ".join(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus)
