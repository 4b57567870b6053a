"""The reference distribution: what the served signature answers for a sample of the split."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common import records
from components.evaluator.reference_sample import measure_reference
from tests.support.mask_model import CLASSES, write_mask_model


def png(grey: int, height: int = 20, width: int = 30) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (grey, grey, grey)).save(out, "PNG")
    return out.getvalue()


def write_records(path: Path, images: dict[str, bytes]) -> str:
    options = "GZIP" if path.suffix == ".gz" else ""
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for name, encoded in images.items():
            features = {records.IMAGE_ID: name.encode(), records.IMAGE_ENCODED: encoded}
            named = {
                key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for key, value in features.items()
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=named)).SerializeToString())
    return str(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("model"))
    write_mask_model(folder)
    return folder


def test_the_answers_of_the_served_signature_are_recorded(model: str, tmp_path: Path) -> None:
    first = write_records(tmp_path / "a.gz", {"dark": png(51), "bright": png(204, 40, 60)})
    second = write_records(tmp_path / "b", {"half": png(102)})
    found = measure_reference(model, [first, second], "test", CLASSES, images=10, batch_size=2)
    assert found is not None
    assert (found.split, found.images_in_split, found.images, found.left_out) == ("test", 3, 3, 0)
    assert found.class_fractions == {"dark": (1, 0, 1), "bright": (0, 1, 0)}
    assert found.mean_confidence == (1, 1, 1)
    assert found.brightness == pytest.approx((0.2, 0.8, 0.4), abs=1e-4)
    assert (found.height, found.width) == ((20, 40, 20), (30, 60, 30))


def test_the_sample_depends_on_the_names_and_not_on_the_order(model: str, tmp_path: Path) -> None:
    images = {f"image {number}": png(number) for number in range(40)}
    shuffled = dict(np.random.default_rng(0).permutation(np.array(list(images.items()), object)).tolist())
    found = [
        measure_reference(model, [write_records(tmp_path / name, each)], "test", CLASSES, images=10, batch_size=4)
        for name, each in (("a", images), ("b", shuffled))
    ]
    first, second = (sorted(each.brightness) for each in found if each is not None)
    assert first == second
    assert len(first) == 10
    assert found[0] is not None
    assert found[0].images_in_split == 40


def test_an_image_that_the_model_refuses_is_left_out_and_counted(model: str, tmp_path: Path) -> None:
    pattern = write_records(tmp_path / "a", {"fine": png(51), "text": b"text", "too": png(51)})
    found = measure_reference(model, [pattern], "test", CLASSES, images=10, batch_size=3)
    assert found is not None
    assert (found.images, found.left_out) == (2, 1)
    only_text = write_records(tmp_path / "b", {"text": b"text"})
    assert measure_reference(model, [only_text], "test", CLASSES, images=10, batch_size=3) is None
