"""Images of five bands, 16 bits, whose class is only in the low byte of one band: learnt, exported, served."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from common import records
from common.band_image import HEADER_BYTES, MAGIC, PLAIN, for_request, pack_bands, pack_plain, unpack_bands
from common.signatures import CONFUSION, EVALUATE, MASK_BYTES, SERVING_DEFAULT, SERVING_EACH, SERVING_PIXELS
from components.trainer.config import TrainerConfig
from components.trainer.export import export
from components.trainer.inference.config import InferenceConfig
from components.trainer.inference.model import ServedModel
from components.trainer.input_pipeline import read_source
from components.trainer.training import Places, train
from components.transform.config import TransformConfig
from components.transform.pixel_format import PixelFormat
from registry.store import Registry
from segpipe_client import Bands, SegmentationClient
from tests.support.serving import BIRTH, MODEL, Hosted
from tests.support.transformed import CLASS_NAMES, NUM_CLASSES, make_pair, run_transform

PIXELS = PixelFormat(5, "uint16")
SIDE, MAX_PIXELS = 32, 100_000
MODES = {
    "resize": TransformConfig(height=SIDE, width=SIDE),
    "crop": TransformConfig.model_validate(
        {"mode": "crop", "height": SIDE, "width": SIDE, "values": {"type": "percentile"}}
    ),
}


class Trained(NamedTuple):
    folder: str
    signatures: dict[str, Any]
    records: list[dict[str, bytes]]


def band_pair(index: int) -> dict[str, bytes]:
    """Noise of 16 bits, but for the low byte of the band 4, which has the class."""
    pair = make_pair(index)
    mask_HW = tf.io.decode_png(pair[records.MASK_ENCODED])[..., 0].numpy()
    random = np.random.default_rng(index)
    image_HWC = random.integers(0, 65536, (*mask_HW.shape, PIXELS.bands)).astype(np.uint16)
    image_HWC[..., 3] = 0x1200 + random.integers(0, 20, mask_HW.shape) + 100 * (mask_HW % 255)
    return pair | {records.IMAGE_ENCODED: pack_bands(image_HWC)}


@pytest.fixture(scope="module", params=list(MODES))
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    scratch = tmp_path_factory.mktemp(request.param)
    config = TrainerConfig.model_validate(
        {
            "model": {"type": "unet", "width": 8, "depth": 1},
            "batch_size": 4,
            "epochs": 8,
            "learning_rate": 0.02,
            "windows": {"per_epoch": 64},
            "inference": {"mode": "tile" if request.param == "crop" else "resize"},
            "augmentation": {"flip_horizontal": True},
        }
    )
    pairs = [band_pair(index) for index in range(64 if request.param == "resize" else 16)]
    transformed = run_transform(pairs, MODES[request.param], scratch, bands=PIXELS.bands, depth=PIXELS.depth)
    files = transformed.train_files
    places = Places(files, files, str(scratch / "resume"), str(scratch / "events"))
    result = train(config, transformed.config, NUM_CLASSES, 1, places, pixels=PIXELS)
    assert result is not None
    layer = tft.TFTransformOutput(str(transformed.graph)).transform_features_layer()
    served = ServedModel(
        [result.network],
        layer,
        transformed.config,
        CLASS_NAMES,
        MAX_PIXELS,
        InferenceConfig(mode=config.inference.mode),
        read_source(files, PIXELS),
    )
    folder = str(scratch / "export")
    export(served, folder)
    return Trained(folder, tf.saved_model.load(folder).signatures, pairs[:6])


def serialized(pair: dict[str, bytes]) -> bytes:
    example = tf.train.Example()
    for name, value in pair.items():
        example.features.feature[name].bytes_list.value.append(value)
    return example.SerializeToString()


def served_masks(trained: Trained) -> list[np.ndarray]:
    images = [for_request(pair[records.IMAGE_ENCODED]) for pair in trained.records]
    answer = trained.signatures[SERVING_DEFAULT](image=tf.constant(images))
    return [tf.io.decode_png(mask)[..., 0].numpy() for mask in answer[MASK_BYTES]]


def test_the_class_in_the_low_byte_is_learnt(trained: Trained) -> None:
    counts = trained.signatures[EVALUATE](examples=tf.constant([serialized(pair) for pair in trained.records]))
    total_CC = counts[CONFUSION].numpy().sum(0).reshape(NUM_CLASSES, NUM_CLASSES)
    iou_C = np.diag(total_CC) / (total_CC.sum(0) + total_CC.sum(1) - np.diag(total_CC))
    assert iou_C.min() >= 0.9


def test_what_is_evaluated_is_what_is_served(trained: Trained) -> None:
    """A record's compressed image and a request's plain one give the same pixels."""
    counts = trained.signatures[EVALUATE](examples=tf.constant([serialized(pair) for pair in trained.records]))
    for pair, mask_HW, counts_N in zip(trained.records, served_masks(trained), counts[CONFUSION].numpy(), strict=True):
        truth_HW = tf.io.decode_png(pair[records.MASK_ENCODED])[..., 0].numpy()
        known = truth_HW != records.VOID
        pairs_N = truth_HW[known].astype(int) * NUM_CLASSES + mask_HW[known]
        np.testing.assert_array_equal(np.bincount(pairs_N, minlength=NUM_CLASSES**2), counts_N)


def test_raw_samples_get_the_same_answer(trained: Trained) -> None:
    samples_BHWC = np.stack([unpack_bands(pair[records.IMAGE_ENCODED]) for pair in trained.records])
    answer = trained.signatures[SERVING_PIXELS](pixels=tf.constant(samples_BHWC))
    for mask, served_HW in zip(answer[MASK_BYTES], served_masks(trained), strict=True):
        np.testing.assert_array_equal(tf.io.decode_png(mask)[..., 0], served_HW)


def test_the_clients_answer_is_the_graphs(trained: Trained, tmp_path: Path) -> None:
    registry = Registry(str(tmp_path))
    registry.push(trained.folder, **BIRTH)
    registry.serve(1)
    image_HWC = unpack_bands(trained.records[0][records.IMAGE_ENCODED])
    with Hosted(registry) as server, SegmentationClient(f"{server.http}/v1/models/{MODEL}") as client:
        segmentation = client.predict(Bands(image_HWC))
    np.testing.assert_array_equal(segmentation.mask_HW, served_masks(trained)[0])
    assert segmentation.overlay().size == image_HWC.shape[1::-1]


_IMAGE = np.zeros([4, 5, 5], np.uint16)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n", "it is not an image of 5 bands, uint16"),
        (pack_bands(_IMAGE), "it is not an image of 5 bands, uint16"),
        (MAGIC + PLAIN + b"\0" * 5, "it is not an image of 5 bands, uint16"),
        (pack_plain(_IMAGE[..., :4]), "it must have 5 bands, uint16, not 4, uint16"),
        (pack_plain(_IMAGE.astype(np.uint8)), "it must have 5 bands, uint16, not 5, uint8"),
        (pack_plain(_IMAGE)[:-1], "another number of bytes than its header says"),
        (pack_plain(_IMAGE) + b"\0", "another number of bytes than its header says"),
        (pack_plain(np.zeros([400, 300, 5], np.uint16)), "400 300 are over the limit of 100000 pixels"),
        (pack_plain(_IMAGE)[: HEADER_BYTES - 12] + b"\xff" * 8 + pack_plain(_IMAGE)[HEADER_BYTES - 4 :], "broken"),
    ],
)
def test_other_bytes_are_refused_with_the_reason(trained: Trained, sent: bytes, reason: str) -> None:
    fine = for_request(trained.records[0][records.IMAGE_ENCODED])
    answer = trained.signatures[SERVING_EACH](image=tf.constant([fine, sent]))
    errors = [error.decode() for error in answer["errors"].numpy()]
    assert not errors[0]
    assert reason in errors[1]
    np.testing.assert_array_equal(tf.io.decode_png(answer[MASK_BYTES][0])[..., 0], served_masks(trained)[0])
