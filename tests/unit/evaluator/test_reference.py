"""The reference distribution: what the served signature answers for a sample of the split."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common import records
from components.evaluator.reference_sample import Sample
from tests.support.mask_model import CLASSES, write_mask_model
from tests.support.measured_reference import measured_reference


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
    found = measured_reference(model, [first, second], Sample("test", CLASSES, 10, 2), tmp_path / "out")
    assert found is not None
    assert (found.split, found.images_in_split, found.images, found.left_out) == ("test", 3, 3, 0)
    assert found.mean_confidence == (1, 1, 1)
    rows = zip(found.brightness, *found.class_fractions.values(), found.height, found.width, strict=True)
    dark, half, bright = sorted(rows)
    assert dark == pytest.approx((0.2, 1, 0, 20, 30), abs=1e-4)
    assert half == pytest.approx((0.4, 1, 0, 20, 30), abs=1e-4)
    assert bright == pytest.approx((0.8, 0, 1, 40, 60), abs=1e-4)


def test_the_sample_depends_on_the_names_and_not_on_the_order(model: str, tmp_path: Path) -> None:
    images = {f"image {number}": png(number) for number in range(40)}
    shuffled = dict(np.random.default_rng(0).permutation(np.array(list(images.items()), object)).tolist())
    sample = Sample("test", CLASSES, 10, 4)
    first, second = (
        measured_reference(model, [write_records(tmp_path / name, each)], sample, tmp_path / f"{name}-out")
        for name, each in (("a", images), ("b", shuffled))
    )
    assert first is not None
    assert first == second
    assert (first.images, first.images_in_split) == (10, 40)


def test_an_image_that_the_model_refuses_is_left_out_and_counted(model: str, tmp_path: Path) -> None:
    pattern = write_records(tmp_path / "a", {"fine": png(51), "text": b"text", "too": png(51)})
    sample = Sample("test", CLASSES, 10, 3)
    found = measured_reference(model, [pattern], sample, tmp_path / "out")
    assert found is not None
    assert (found.images, found.left_out) == (2, 1)
    only_text = write_records(tmp_path / "b", {"text": b"text"})
    assert measured_reference(model, [only_text], sample, tmp_path / "nothing") is None
