"""What a training leaves for TensorBoard, read as TensorBoard reads it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from components.trainer import training
from components.trainer.config import TrainerConfig
from components.trainer.tensorboard.config import NOTHING, TensorBoardConfig
from components.trainer.tensorboard.writing import EXAMPLES, choose_images
from components.trainer.training import Places, train
from tests.support.networks import nested_network, tiny_config
from tests.support.transformed import CLASS_NAMES, NUM_CLASSES, Transformed

EPOCHS = 4


def trained(transformed: Transformed, folder: Path, config: TrainerConfig) -> Path:
    """Trains, and returns the folder of the events."""
    events = folder / "run-7" / "tensorboard"
    places = Places(transformed.train_files, transformed.train_files, str(folder), str(events))
    assert train(config, transformed.config, NUM_CLASSES, 1, places, class_names=CLASS_NAMES) is not None
    return events


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"images": 0, "tensors": 0})
    events.Reload()
    return events


@pytest.fixture(scope="module")
def events(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "build_model", lambda *arguments: nested_network(*arguments))
        config = tiny_config(epochs=EPOCHS, average=0.5).model_copy(
            update={"tensorboard": TensorBoardConfig(images=2, every=3)}
        )
        return trained(transformed, tmp_path_factory.mktemp("tensorboard"), config)


def test_the_same_images_are_drawn_after_the_first_the_last_and_each_third_epoch(events: Path) -> None:
    drawn = read(events / "validation").Tensors(EXAMPLES)
    assert [event.step + 1 for event in drawn] == [1, 3, 4]
    grids = [decoded(event.tensor_proto) for event in drawn]
    assert {grid.shape for grid in grids} == {(2 * 32 + 4, 4 * 32 + 3 * 4, 3)}
    for grid in grids[1:]:
        np.testing.assert_array_equal(grid[:, :68], grids[0][:, :68])  # Images and truth.


def decoded(tensor: Any) -> np.ndarray:
    _, _, encoded = tf.make_ndarray(tensor)
    return np.asarray(Image.open(io.BytesIO(encoded)))


def test_each_class_has_a_precision_recall_and_a_roc_curve(events: Path) -> None:
    found = read(events / "validation")
    for name in CLASS_NAMES:
        (pr_curve,) = found.Tensors(f"precision_recall/{name}/pr_curves")
        true_positive_T, *_, recall_T = tf.make_ndarray(pr_curve.tensor_proto)
        assert recall_T[0] == 1 and (np.diff(true_positive_T) <= 0).all()
        roc = [(event.step, float(tf.make_ndarray(event.tensor_proto))) for event in found.Tensors(f"roc/{name}")]
        assert roc[-1] == (1000, 1.0) and roc == sorted(roc)


def test_the_configuration_is_the_trainings_hyperparameters(events: Path) -> None:
    metadata = read(events / "train").SummaryMetadata("_hparams_/session_start_info")
    assert metadata.plugin_data.plugin_name == "hparams"
    assert b"model.type" in metadata.plugin_data.content and b"batch_size" in metadata.plugin_data.content


def test_nothing_is_drawn_if_the_configuration_says_so(
    transformed: Transformed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "build_model", lambda *arguments: nested_network(*arguments))
    folder = trained(transformed, tmp_path, tiny_config(epochs=1).model_copy(update={"tensorboard": NOTHING}))
    tags = read(folder / "validation").Tags()["tensors"]
    assert "epoch_loss" in tags and not [tag for tag in tags if "/" in tag or tag == EXAMPLES]


def test_images_with_the_most_classes_are_chosen() -> None:
    masks = np.zeros((5, 2, 2), np.uint8)
    masks[1, 0, 0], masks[3, 0] = 1, (1, 2)
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    batches = tf.data.Dataset.from_tensor_slices((images, masks)).batch(2)
    chosen, truth = choose_images(batches, 2)
    assert chosen[:, 0, 0, 0].tolist() == [1, 3]
    np.testing.assert_array_equal(truth, masks[[1, 3]])
    assert choose_images(batches, 9)[0].shape[0] == 5
