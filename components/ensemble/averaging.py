"""Builds the model that averages the probabilities of several trained ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow_transform as tft
import tf_keras as keras

from components.trainer.architectures import untrained
from components.trainer.config import TrainerConfig
from components.trainer.inference.model import ServedModel
from components.trainer.input_pipeline import Constants, read_constants, read_source
from components.trainer.models import build_model
from components.trainer.warm_start import load_exported
from components.transform.config import TransformConfig
from components.transform.pixel_format import PixelFormat


class MemberSettings(NamedTuple):
    """What all members have in common."""

    config: TrainerConfig
    transform: TransformConfig
    pixels: PixelFormat
    classes: tuple[str, ...]


def average(
    settings: MemberSettings, model_dirs: Sequence[str], record_files: Sequence[str], transform_dir: str
) -> ServedModel:
    """Returns the ensemble of exported models.

    Args:
        settings: The members' configuration.
        model_dirs: The members' SavedModels.
        record_files: Files of transformed records; the first record is read.
        transform_dir: The transform graph.

    Raises:
        UserError: a member has a different architecture.
    """
    constants = read_constants(record_files, len(settings.classes), settings.pixels)
    networks = [_load(settings, folder, constants) for folder in model_dirs]
    return ServedModel(
        networks,
        tft.TFTransformOutput(transform_dir).transform_features_layer(),
        settings.transform,
        settings.classes,
        settings.config.max_pixels,
        settings.config.inference,
        read_source(record_files, settings.pixels),
    )


def _load(settings: MemberSettings, model_dir: str, constants: Constants) -> keras.Model:
    architecture = untrained(settings.config.model)
    mean_C, std_C = constants.channel_mean_C, constants.channel_std_C
    network = build_model(architecture, settings.transform, len(settings.classes), mean_C, std_C)
    load_exported(network, model_dir)
    return network
