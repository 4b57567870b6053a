"""The training loop: takes data, model and configuration; returns the best weights and the history."""

from __future__ import annotations

import functools
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import tensorflow as tf
import tf_keras as keras

from common import progress
from common.compatibility import skip_autograph_for_keras
from common.errors import UserError
from components.trainer.averaging import AverageInUse, WeightAverage
from components.trainer.batch_statistics import small_batch_warning
from components.trainer.checkpointing import Checkpointing
from components.trainer.config import TrainerConfig
from components.trainer.divergence import Situation, StopOnDivergence
from components.trainer.history import TrainingHistory
from components.trainer.input_pipeline import (
    evaluation_dataset,
    read_constants,
    training_dataset,
)
from components.trainer.learning_config import Plateau
from components.trainer.losses.build_loss import build_loss
from components.trainer.metrics import SegmentationMetrics
from components.trainer.models import build_model
from components.trainer.optimizers import build_optimizer
from components.trainer.phases import Phase, phases, prepare
from components.trainer.precision import computing_in, precision_here
from components.trainer.record_files import Files, count_records
from components.trainer.schedules import LearningRate, LowerOnPlateau
from components.trainer.sharing import WHOLE, Share
from components.trainer.strategy import (
    all_reduce,
    check_batch_size,
    choose_strategy,
    is_chief,
    share_of,
    shared_out,
    training_input,
    worker_count,
)
from components.trainer.tensorboard.writing import PredictionGrid, write_curves, write_hyperparameters
from components.trainer.train_step import TrainStep
from components.trainer.warm_start import load_warm_start
from components.trainer.windows.dataset import evaluation_windows, training_windows, windows_per_epoch
from components.trainer.windows.source import read_native
from components.transform.config import TransformConfig
from components.transform.pixel_format import RGB, PixelFormat


class Places(NamedTuple):
    """Input and output folders of a training."""

    train_files: Files
    eval_files: Files
    resume_dir: str
    tensorboard_dir: str
    initial_model_dir: str | None = None
    """An exported model with the initial weights; `None` to train from scratch."""


class Result(NamedTuple):
    """Result of a training."""

    network: keras.Model
    """The network with the weights of its best epoch, computing in float32 on one device."""
    history: TrainingHistory


class Task(NamedTuple):
    """State shared by all phases of a training."""

    config: TrainerConfig
    places: Places
    num_classes: int
    seed: int
    train_pictures: int
    eval_pictures: int
    build: Callable[[], keras.Model]
    """Builds a new network."""
    loss: Callable[[], keras.losses.Loss]
    training: Callable[[int], tf.data.Dataset]
    """Returns the training batches for a seed, reshuffled each time they are read."""
    evaluation: tf.data.Dataset
    samples_per_epoch: int
    """Images, or windows of images, that an epoch trains on."""
    until: int | None = None
    """Epoch after which training pauses; `None` to train to the end."""

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps per epoch."""
        return math.ceil(self.samples_per_epoch / self.config.pictures_per_step)


def train(
    config: TrainerConfig,
    transform: TransformConfig,
    num_classes: int,
    seed: int,
    places: Places,
    class_weight_C: Sequence[float] | None = None,
    strategy: tf.distribute.Strategy | None = None,
    until: int | None = None,
    pixels: PixelFormat = RGB,
    class_names: Sequence[str] | None = None,
) -> Result | None:
    """Trains, resuming from `places.resume_dir` if an earlier attempt was killed, or paused after epoch `until`.

    `class_weight_C` replaces what Transform computed; `pixels` is what the images are made of; `class_names` are shown
    by TensorBoard.  Schedules and phases are those of the whole training, wherever `until` interrupts it: a call with a
    later one resumes with its weights and optimiser.  With several workers each one calls this with the same arguments,
    and all must be able to read `places.resume_dir`.

    Returns:
        The network and the history; `None` on a worker that is not the chief.

    Raises:
        UserError: a split holds no record, or the configuration does not fit the network, the devices or the model
            that it starts from; or it diverges (`Diverged`).
    """
    strategy = strategy or choose_strategy()
    check_batch_size(config.batch_size, strategy)
    share = share_of(strategy)
    task = make_task(config, transform, num_classes, seed, places, class_weight_C, pixels, share)._replace(until=until)
    if few := small_batch_warning(config, config.batch_size // strategy.num_replicas_in_sync):
        progress.report(few)
    network = make_network(task, strategy)
    parameters = sum(math.prod(weight.shape) for weight in network.trainable_weights)
    checkpointing = train_phases(network, task, strategy)
    if not is_chief(strategy):
        return None
    best = task.build()
    checkpointing.load_best(best)
    write_hyperparameters(config, places.tensorboard_dir)
    if config.tensorboard.curves and checkpointing.finished:
        progress.update("drawing the curves of each class")
        names = class_names or [f"class {index}" for index in range(num_classes)]
        write_curves(best, task.evaluation, names, places.tensorboard_dir, checkpointing.best.epoch - 1)
    history = TrainingHistory(
        epochs=tuple(checkpointing.epochs),
        best_epoch=checkpointing.best.epoch,
        parameters=parameters,
        seconds=checkpointing.seconds,
        milliseconds_per_step=checkpointing.milliseconds_per_step,
        device=_devices(task.config, strategy),
        stopped=checkpointing.stopped,
        train_pictures=task.train_pictures,
        eval_pictures=task.eval_pictures,
        fine_tuned_from=config.fine_tuning.from_epoch if config.fine_tuning else None,
    )
    return Result(best, history)


def make_task(
    config: TrainerConfig,
    transform: TransformConfig,
    num_classes: int,
    seed: int,
    places: Places,
    class_weight_C: Sequence[float] | None = None,
    pixels: PixelFormat = RGB,
    share: Share = WHOLE,
) -> Task:
    """Opens the data, and seeds all random generators.

    `class_weight_C` replaces what Transform computed; `share` is what this worker reads of the training split.

    Raises:
        UserError: a split holds no record.
    """
    skip_autograph_for_keras()
    keras.utils.set_random_seed(seed)
    config = config.model_copy(update={"precision": precision_here(config.precision)})
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    constants = read_constants(places.train_files, num_classes, pixels)
    eval_pictures = count_records(places.eval_files)
    if not eval_pictures:
        raise UserError("the eval split is empty, so the best epoch cannot be chosen: raise data.split.eval")
    data = _open_data(config, transform, num_classes, places, pixels, share)
    return Task(
        config=config,
        places=places,
        num_classes=num_classes,
        seed=seed,
        train_pictures=data.train_pictures,
        eval_pictures=eval_pictures,
        build=lambda: build_model(
            config.model, transform, num_classes, constants.channel_mean_C, constants.channel_std_C
        ),
        loss=lambda: build_loss(config.loss, constants.class_weight_C if class_weight_C is None else class_weight_C),
        training=data.training,
        evaluation=data.evaluation,
        samples_per_epoch=data.samples_per_epoch,
    )


class _Data(NamedTuple):
    """Batches to train on and to evaluate epochs by."""

    training: Callable[[int], tf.data.Dataset]
    evaluation: tf.data.Dataset
    train_pictures: int
    samples_per_epoch: int


def _open_data(
    config: TrainerConfig,
    transform: TransformConfig,
    num_classes: int,
    places: Places,
    pixels: PixelFormat,
    share: Share,
) -> _Data:
    """Opens the batches of whole images, or of windows of images at their own size."""
    if transform.crops:
        train, fixed = (
            read_native(files, num_classes, config.cache_bytes) for files in (places.train_files, places.eval_files)
        )
        return _Data(
            lambda seed: training_windows(train, config, transform, seed, pixels, share),
            evaluation_windows(fixed, config, transform, pixels),
            len(train.slice_N),
            windows_per_epoch(train, config, transform),
        )
    train_pictures = count_records(places.train_files)
    return _Data(
        lambda seed: training_dataset(places.train_files, config, transform, seed, pixels, share),
        evaluation_dataset(places.eval_files, config.batch_size, transform, config.cache_bytes, pixels),
        train_pictures,
        train_pictures,
    )


def make_network(task: Task, strategy: tf.distribute.Strategy) -> keras.Model:
    """Returns the network with its initial weights.

    Raises:
        UserError: the initial model has a different architecture.
    """
    with strategy.scope(), computing_in(task.config.precision):
        network = task.build()
        if task.places.initial_model_dir:
            load_warm_start(network, task.places.initial_model_dir)
    return network


def train_phases(network: keras.Model, task: Task, strategy: tf.distribute.Strategy) -> Checkpointing:
    """Trains `network`, which was created in the scope of `strategy`, through all remaining phases.

    A phase that an earlier attempt finished is loaded at its end, so that the next one starts with its weights.
    """
    chief = is_chief(strategy)
    directory = task.places.resume_dir
    with strategy.scope():
        all_reduce_mean = functools.partial(all_reduce, strategy)
        checkpointing = Checkpointing(
            network, directory, task.config, task.steps_per_epoch, chief, all_reduce_mean, task.until
        )
    for phase in phases(task.config):
        if checkpointing.finished:
            break
        prepare(network, phase, task.config)
        _train_phase(network, phase, task, strategy, checkpointing)
    return checkpointing


def _train_phase(
    network: keras.Model, phase: Phase, task: Task, strategy: tf.distribute.Strategy, checkpointing: Checkpointing
) -> None:
    config, places = task.config, task.places
    learning = compile_train_step(network, phase, task, strategy)
    situation = Situation(
        config=config,
        phase=phase,
        steps_per_epoch=task.steps_per_epoch,
        replicas=strategy.num_replicas_in_sync,
        workers=worker_count(strategy),
        rate=lambda step: float(learning.rate(step)),
        kept=lambda: checkpointing.kept,
    )
    callbacks: list[keras.callbacks.Callback] = [StopOnDivergence(situation, network.weights), checkpointing]
    if isinstance(config.schedule, Plateau):
        reached = lambda: (epoch.score for epoch in checkpointing.epochs)  # noqa: E731
        callbacks.append(LowerOnPlateau(learning.rate, config.schedule, phase.begin, reached))
    with ExitStack() as stack:
        events = places.tensorboard_dir
        if not is_chief(strategy):
            events = stack.enter_context(tempfile.TemporaryDirectory())
        if config.tensorboard.images:
            callbacks.append(PredictionGrid(network, task.evaluation, config, events))
        if learning.average:
            callbacks.append(AverageInUse(learning.average))
        callbacks.append(keras.callbacks.TensorBoard(events, write_graph=False, update_freq="epoch"))
        backup = os.path.join(places.resume_dir, f"backup-{phase.begin:05d}")
        callbacks.append(keras.callbacks.BackupAndRestore(backup, delete_checkpoint=False))
        # A different seed after a kill and in each phase, so that the order of the first epochs is not repeated.
        epoch = task.training(task.seed + len(checkpointing.epochs))
        learning.train_step.fit(
            training_input(strategy, epoch, task.samples_per_epoch, task.config.pictures_per_step),
            # One worker reads to the end, several have data without one.
            steps_per_epoch=None if worker_count(strategy) == 1 else task.steps_per_epoch,
            validation_data=shared_out(task.evaluation),
            initial_epoch=phase.begin,
            epochs=phase.end,
            verbose=0,
            callbacks=callbacks,
        )


class Learning(NamedTuple):
    """A compiled network for a phase."""

    train_step: TrainStep
    rate: LearningRate
    average: WeightAverage | None


def compile_train_step(network: keras.Model, phase: Phase, task: Task, strategy: tf.distribute.Strategy) -> Learning:
    """Compiles the network with the loss, the metrics and a new optimiser for the phase."""
    config = task.config
    with strategy.scope():
        rate = LearningRate(
            phase.learning_rate, config.schedule, phase.epochs, task.steps_per_epoch, phase.warm_up_epochs
        )
        average = WeightAverage(network.weights, config.average) if config.average else None
        train_step = TrainStep(network, config.accumulate, config.xla, average)
        train_step.compile(
            optimizer=build_optimizer(config, rate, network.trainable_weights),
            loss=task.loss(),
            metrics=[SegmentationMetrics(task.num_classes)],
        )
    return Learning(train_step, rate, average)


def _devices(config: TrainerConfig, strategy: tf.distribute.Strategy) -> str:
    """Describes the devices, such as `2 CPU cores` or `2 × NVIDIA H200, mixed_bfloat16`."""
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    replicas = strategy.num_replicas_in_sync
    devices = f"{replicas} × {names[0]}" if replicas > 1 and names else next(iter(names), f"{os.cpu_count()} CPU cores")
    return devices if config.precision == "float32" else f"{devices}, {config.precision}"
