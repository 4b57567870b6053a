"""What the check sends, and what it leaves for servers to warm up with."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import prediction_log_pb2

from common.errors import UserError
from common.signatures import WARMUP_FILE
from components.serving_check.hostile import hostile_inputs
from components.serving_check.sample_images import SampleImage, read_sample_images
from components.serving_check.warmup import write_warmup
from serving import model


def requests_in(folder: Path) -> list[bytes]:
    records = tf.data.TFRecordDataset(str(folder / WARMUP_FILE)).as_numpy_iterator()
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
    return [log.predict_log.request.inputs["image"].string_val[0] for log in logs]


def test_pictures_are_the_first_of_the_records(record_file: str) -> None:
    (first, second) = read_sample_images([record_file], 2)
    assert (first.id, first.format, first.height, first.width) == ("pair-0", "png", 40, 56)
    assert Image.open(io.BytesIO(second.encoded)).size == (33, 90)


def test_no_pictures_are_no_trial(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the eval split is empty"):
        read_sample_images([str(tmp_path / "*")], 2)


def test_the_header_speaks_of_more_pixels_than_the_limit_and_the_file_is_small() -> None:
    lie = hostile_inputs(1_000_000)["a header that claims more than 1000000 pixels"]
    assert len(lie) < 1000
    width, height = Image.open(io.BytesIO(lie)).size
    assert width * height > 1_000_000


def test_warm_up_requests_have_the_data_s_sizes_and_nobody_s_picture(
    pictures: list[SampleImage], tmp_path: Path
) -> None:
    assert write_warmup(str(tmp_path), "tiny", pictures) == 2
    sent = [Image.open(io.BytesIO(encoded)) for encoded in requests_in(tmp_path)]
    assert [(image.format, image.size) for image in sent] == [("PNG", (56, 40)), ("JPEG", (33, 90))]
    assert all(len(np.unique(np.asarray(image))) == 1 for image in sent)


def test_the_same_pictures_give_the_same_bytes(pictures: list[SampleImage], tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_warmup(str(tmp_path / name), "tiny", pictures)
    assert (tmp_path / "one" / WARMUP_FILE).read_bytes() == (tmp_path / "two" / WARMUP_FILE).read_bytes()


def test_the_embedded_server_runs_them(models: Path, pictures: list[SampleImage], tmp_path: Path) -> None:
    assert model.WARMUP_FILE == WARMUP_FILE
    write_warmup(str(tmp_path), "tiny", pictures)
    loaded = model.Model(str(models / "resize"))
    assert model.warm_up(loaded, str(tmp_path)) == 2
    loaded.close()
