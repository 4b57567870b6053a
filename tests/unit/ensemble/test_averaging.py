"""The average of exported models as one model."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tf_keras as keras

from common.errors import UserError
from common.signatures import EXTRA_ASSETS
from components.ensemble.averaging import MemberSettings, average
from components.trainer.architectures import UNet
from components.trainer.config import TrainerConfig
from components.trainer.ensemble_file import write_members
from components.trainer.inference.model import ServedModel
from components.trainer.input_pipeline import read_constants
from components.trainer.models import build_model
from components.trainer.warm_start import exported_state, find_warm_start
from components.transform.pixel_format import RGB
from tests.support.transformed import CLASS_NAMES, NUM_CLASSES, Transformed

CONFIG = TrainerConfig(model=UNet(width=4, depth=1), max_pixels=100_000)


class Members(NamedTuple):
    """Two models with other weights each, and where their weights are, as in an export."""

    served: list[ServedModel]
    folders: list[str]


@pytest.fixture(scope="module")
def members(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Members:
    constants = read_constants(transformed.train_files, NUM_CLASSES)
    layer = tft.TFTransformOutput(str(transformed.graph)).transform_features_layer()
    served, folders = [], []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        mean_C, std_C = constants.channel_mean_C, constants.channel_std_C
        network = build_model(CONFIG.model, transformed.config, NUM_CLASSES, mean_C, std_C)
        served.append(ServedModel([network], layer, transformed.config, CLASS_NAMES, CONFIG.max_pixels))
        weights_alone = tf.Module()
        weights_alone._weights = network.weights
        folders.append(str(tmp_path_factory.mktemp("member")))
        tf.saved_model.save(weights_alone, folders[-1])
    return Members(served, folders)


def ensemble(transformed: Transformed, folders: list[str], config: TrainerConfig = CONFIG) -> ServedModel:
    settings = MemberSettings(config, transformed.config, RGB, CLASS_NAMES)
    return average(settings, folders, transformed.train_files, str(transformed.graph))


def test_its_probabilities_are_the_mean_of_the_members(members: Members, transformed: Transformed) -> None:
    tile_N32 = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), np.uint8)
    each = [member.serving_tiles(tile_N32)["probabilities"].numpy() for member in members.served]
    assert np.abs(each[0] - each[1]).max() > 0.01
    served = ensemble(transformed, members.folders)
    assert served.members == 2
    np.testing.assert_allclose(served.serving_tiles(tile_N32)["probabilities"], np.mean(each, axis=0), atol=1e-6)


def test_members_of_another_architecture_are_refused(members: Members, transformed: Transformed) -> None:
    other = CONFIG.model_copy(update={"model": UNet(width=8, depth=1)})
    with pytest.raises(UserError, match="has a different architecture"):
        ensemble(transformed, members.folders, other)


def test_no_single_network_starts_from_an_ensemble(members: Members, tmp_path: Path) -> None:
    (tmp_path / EXTRA_ASSETS).mkdir()
    write_members(str(tmp_path / EXTRA_ASSETS), 5)
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "variables.index").touch()
    for refuse in (exported_state, lambda folder: find_warm_start("blessed", folder, CLASS_NAMES)):
        with pytest.raises(UserError, match="is an ensemble of 5 networks, from which a single one cannot start"):
            refuse(str(tmp_path))
    assert exported_state(members.folders[0])
