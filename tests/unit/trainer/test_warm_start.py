"""Weights from a model that was exported before."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tf_keras as keras

from common.errors import UserError
from components.trainer.architectures import UNet
from components.trainer.class_list import write_class_list
from components.trainer.export import export
from components.trainer.inference.model import ServedModel
from components.trainer.models import build_model
from components.trainer.warm_start import exported_state, find_warm_start, load_warm_start
from tests.support.transformed import CLASS_NAMES, NUM_CLASSES, Transformed


def network(transformed: Transformed, classes: int = NUM_CLASSES, **unet: int) -> keras.Model:
    config = UNet(**{"width": 4, "depth": 1} | unet)
    return build_model(config, transformed.config, classes, np.full(3, 60.0), np.full(3, 50.0))


@pytest.fixture(scope="module")
def exported(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, str]:
    model = network(transformed)
    model.set_weights([np.random.default_rng(i).random(w.shape) for i, w in enumerate(model.get_weights())])
    folder = str(tmp_path_factory.mktemp("exported"))
    layer = tft.TFTransformOutput(str(transformed.graph)).transform_features_layer()
    export(ServedModel([model], layer, transformed.config, CLASS_NAMES, 100_000), folder)
    return model, folder


def test_an_exported_model_gives_all_its_weights(exported: tuple[keras.Model, str], transformed: Transformed) -> None:
    model, folder = exported
    fresh = network(transformed)
    load_warm_start(fresh, folder)
    for expected, weight in zip(model.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ({"depth": 2}, r"it has \d+ weights and the network of this configuration \d+"),
        ({"width": 8}, r"it has down0_1_conv/kernel \[3×3×3×4\] where .* has down0_1_conv/kernel \[3×3×3×8\]"),
        ({"classes": 5}, r"it has head/kernel \[1×1×4×3\] where .* has head/kernel \[1×1×4×5\]"),
    ],
)
def test_another_architecture_is_refused_by_what_differs(
    exported: tuple[keras.Model, str], transformed: Transformed, other: dict[str, int], difference: str
) -> None:
    with pytest.raises(UserError, match=difference):
        load_warm_start(network(transformed, **other), exported[1])


def test_names_that_keras_numbered_on_are_the_same(tmp_path: Path) -> None:
    first, second = (
        keras.Sequential([keras.layers.Dense(2, input_shape=[3]), keras.layers.Dense(2)]) for _ in range(2)
    )
    assert [w.name for w in first.weights] != [w.name for w in second.weights]
    module = tf.Module()
    module._weights = first.weights
    tf.saved_model.save(module, str(tmp_path))
    load_warm_start(second, str(tmp_path))
    np.testing.assert_array_equal(first.weights[2], second.weights[2])


def test_what_was_not_exported_here_is_refused(tmp_path: Path, transformed: Transformed) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(UserError, match=r"it has 0 weights"):
        load_warm_start(network(transformed), str(tmp_path))


def test_a_folder_without_a_model_is_refused_before_anything_runs(tmp_path: Path) -> None:
    for check in (lambda: find_warm_start(str(tmp_path), None, CLASS_NAMES), lambda: exported_state(str(tmp_path))):
        with pytest.raises(UserError, match="holds no exported model"):
            check()


def test_the_state_of_an_exported_model_changes_with_it(exported: tuple[keras.Model, str]) -> None:
    folder = exported[1]
    before = exported_state(folder)
    assert exported_state(f"{folder}/") == before.replace(folder, folder)
    index = Path(folder) / "variables" / "variables.index"
    later = index.stat().st_mtime + 2  # TensorFlow reports whole seconds.
    os.utime(index, (later, later))
    assert exported_state(folder) != before


def test_nothing_is_looked_for_unless_asked(tmp_path: Path) -> None:
    assert find_warm_start("none", str(tmp_path), CLASS_NAMES) is None


def test_where_nothing_is_served_training_begins_from_scratch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="segpipe.progress"):
        assert find_warm_start("blessed", str(tmp_path / "Format-Serving"), CLASS_NAMES) is None
    assert "nothing is served yet" in caplog.text


def test_the_blessed_model_is_what_the_baseline_brought(tmp_path: Path) -> None:
    assert find_warm_start("blessed", str(tmp_path), CLASS_NAMES) == str(tmp_path)


def test_the_weights_that_a_training_kept_are_taken_up(transformed: Transformed, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    kept, fresh = network(transformed), network(transformed)
    for epoch in (2, 11):
        kept.set_weights([np.full_like(weight, epoch) for weight in kept.get_weights()])
        kept.save_weights(str(folder / f"best-{epoch:05d}"))
    assert find_warm_start(str(folder), None, CLASS_NAMES) == str(folder)
    assert "best-00011.index" in exported_state(str(folder))
    load_warm_start(fresh, str(folder))
    assert all((weight == 11).all() for weight in fresh.get_weights())


@pytest.mark.parametrize("other", [{"depth": 2}, {"width": 8}])
def test_kept_weights_of_another_architecture_are_refused(
    transformed: Transformed, tmp_path: Path, other: dict[str, int]
) -> None:
    network(transformed).save_weights(str(tmp_path / "best-00001"))
    with pytest.raises(UserError, match="have a different architecture"):
        load_warm_start(network(transformed, **other), str(tmp_path))


@pytest.mark.parametrize(
    ("classes", "difference"),
    [
        (("background", "left", "up"), "only the model has 'right'; only data.classes has 'up'"),
        (("background", "right", "left"), "the same names in another order"),
        (("background", "left", "right", "up"), "only data.classes has 'up'"),
    ],
)
@pytest.mark.parametrize("warm_start", ["blessed", "folder"])
def test_a_model_of_other_classes_is_refused_by_their_names(
    exported: tuple[keras.Model, str], classes: tuple[str, ...], difference: str, warm_start: str
) -> None:
    configured = exported[1] if warm_start == "folder" else warm_start
    with pytest.raises(UserError, match=rf"was trained for other classes: {difference}\. Set trainer\.warm_start"):
        find_warm_start(configured, exported[1], classes)


def test_the_state_of_a_training_of_other_classes_is_refused_and_one_without_a_list_is_taken(tmp_path: Path) -> None:
    (tmp_path / "best-00001.index").touch()
    assert find_warm_start(str(tmp_path), None, CLASS_NAMES) == str(tmp_path)
    write_class_list(str(tmp_path), ("sky", "sea"))
    difference = r"only the model has 'sky', 'sea'; only data\.classes has 'background', 'left'"
    with pytest.raises(UserError, match=difference):
        find_warm_start(str(tmp_path), None, CLASS_NAMES)
