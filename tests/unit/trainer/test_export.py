"""The exported model, saved and loaded again."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from PIL import Image

from common import records
from common.signatures import CONFIDENCE_BINS, RELIABILITY_SUMS, SERVING_ARRAYS, SERVING_INPUTS, SIGNATURES
from components.evaluator.counts import confusion_counts
from components.trainer.predictions import probabilities_BHWC
from components.transform import features
from components.transform.image_ops import images_from_bytes
from tests.support.transformed import CLASS_NAMES, NUM_CLASSES, Transformed, make_pair

RESIZED = {"mode": "resize", "saved": True}
"""As `test_model` asks for it, so that the model is exported once."""


@pytest.fixture
def keras_model(exported):  # type: ignore[no-untyped-def]
    return exported(**RESIZED).network


@pytest.fixture
def loaded(exported):  # type: ignore[no-untyped-def]
    return exported(**RESIZED).loaded


def as_example(pair: dict[str, bytes]) -> bytes:
    feature = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for name, value in pair.items()}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def trained_view(transformed: Transformed, encoded: list[bytes]) -> tf.Tensor:
    layer = tft.TFTransformOutput(str(transformed.graph)).transform_features_layer()
    raw = layer({records.IMAGE_ENCODED: tf.constant(encoded)})[features.IMAGE]
    return images_from_bytes(raw, transformed.config.height, transformed.config.width)


def test_what_is_saved_beside_the_signatures_are_no_methods(loaded) -> None:  # type: ignore[no-untyped-def]
    assert set(loaded.signatures) == {*SIGNATURES, SERVING_INPUTS, SERVING_ARRAYS}
    assert not [name for name in loaded.signatures if hasattr(loaded, name)]


def test_probabilities_are_those_of_the_trained_network(loaded, keras_model, transformed: Transformed) -> None:  # type: ignore[no-untyped-def]
    encoded = [make_pair(i, 30 + 10 * i, 50)[records.IMAGE_ENCODED] for i in range(3)]
    served = loaded.signatures["probabilities"](image=tf.constant(encoded))["probabilities"]
    expected = probabilities_BHWC(keras_model(tf.cast(trained_view(transformed, encoded), tf.float32), training=False))
    np.testing.assert_allclose(served, expected, atol=1e-5)
    np.testing.assert_allclose(tf.reduce_sum(served, axis=-1), 1, atol=1e-5)


def test_masks_come_at_the_pictures_own_sizes(loaded, transformed: Transformed) -> None:  # type: ignore[no-untyped-def]
    encoded = [make_pair(0, 40, 56)[records.IMAGE_ENCODED], make_pair(1, 90, 33)[records.IMAGE_ENCODED]]
    answer = loaded.signatures["serving_default"](image=tf.constant(encoded))
    assert answer["class_names"].numpy().tolist() == [[name.encode() for name in CLASS_NAMES]] * 2
    probabilities = loaded.signatures["probabilities"](image=tf.constant(encoded))["probabilities"]
    for index, (height, width) in enumerate([(40, 56), (90, 33)]):
        mask_HW = np.asarray(Image.open(io.BytesIO(answer["mask_bytes"].numpy()[index])))
        resized = tf.image.resize(probabilities[index], [height, width]).numpy()
        np.testing.assert_array_equal(mask_HW, resized.argmax(-1))
        shares = np.bincount(mask_HW.ravel(), minlength=NUM_CLASSES) / mask_HW.size
        np.testing.assert_allclose(answer["class_fractions"][index], shares, atol=1e-6)
        assert float(answer["mean_confidence"][index]) == pytest.approx(resized.max(-1).mean(), rel=1e-4)


def test_evaluate_counts_the_pixels_of_each_record(loaded, keras_model, transformed: Transformed) -> None:  # type: ignore[no-untyped-def]
    pairs = transformed.pairs[:3]
    confusion = loaded.signatures["evaluate"](examples=tf.constant([as_example(pair) for pair in pairs]))["confusion"]
    images = trained_view(transformed, [pair[records.IMAGE_ENCODED] for pair in pairs])
    probabilities = probabilities_BHWC(keras_model(tf.cast(images, tf.float32), training=False))
    for index, pair in enumerate(pairs):
        truth_HW = tf.io.decode_png(pair[records.MASK_ENCODED])[..., 0].numpy()
        predicted_HW = tf.image.resize(probabilities[index], truth_HW.shape).numpy().argmax(-1)
        expected_CC = confusion_counts(truth_HW, predicted_HW, NUM_CLASSES)
        np.testing.assert_array_equal(confusion[index].numpy().reshape(NUM_CLASSES, NUM_CLASSES), expected_CC)


def test_evaluate_masks_counts_the_same_and_gives_the_masks_that_are_served(loaded, transformed: Transformed) -> None:  # type: ignore[no-untyped-def]
    pairs = transformed.pairs[:3]
    examples = tf.constant([as_example(pair) for pair in pairs])
    found = loaded.signatures["evaluate_masks"](examples=examples)
    assert found["reliability"].shape == (3, NUM_CLASSES, CONFIDENCE_BINS, len(RELIABILITY_SUMS))
    np.testing.assert_array_equal(found["confusion"], loaded.signatures["evaluate"](examples=examples)["confusion"])
    images = tf.constant([pair[records.IMAGE_ENCODED] for pair in pairs])
    served = loaded.signatures["serving_default"](image=images)["mask_bytes"]
    assert found["mask_bytes"].numpy().tolist() == served.numpy().tolist()


def test_one_hostile_picture_is_refused_by_name_and_the_next_is_served(loaded) -> None:  # type: ignore[no-untyped-def]
    good = make_pair(0)[records.IMAGE_ENCODED]
    bomb = good[:16] + (20_000).to_bytes(4, "big") * 2 + good[24:]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"over the limit of\D+100000\D+pixels"):
        loaded.signatures["serving_default"](image=tf.constant([good, bomb]))
    assert len(loaded.signatures["serving_default"](image=tf.constant([good]))["mask_bytes"].numpy()[0]) > 0


def test_the_model_is_written_where_the_folder_says(exported) -> None:  # type: ignore[no-untyped-def]
    assert (exported(**RESIZED).folder / "saved_model.pb").exists()
