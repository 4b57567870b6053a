"""A batch gives the masks of `segpipe predict`, pixel for pixel, in both modes and at all depths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import Image

from common import records
from common.band_image import pack_bands
from components.batch_predictor.index_file import read_part
from components.batch_predictor.origin import Origin
from components.batch_predictor.out_folder import OutFolder
from pipeline.cli.image_encoding import encoding_of
from registry.store import Registry
from serving.predictor import Predictor
from tests.support.scenes import blocky_image, scene_registry
from tests.unit.batch_predictor.conftest import Predict, write_image

SIZES = [(16, 24), (40, 56), (71, 33), (24, 90), (40, 56), (120, 130)]


def mask_of(out: Path, path: str) -> np.ndarray:
    return np.asarray(Image.open(out / "masks" / f"{path}.mask.png"))


def assert_as_predicted(registry: Registry, folder: Path, out: Path) -> None:
    """Compares masks, shares and confidence with those of `segpipe predict`."""
    predictor = Predictor(registry)
    encode = encoding_of(predictor.manifest.config)
    folder_out = OutFolder(str(out))
    origin = Origin.model_validate_json(folder_out.read("predictions.json"))
    entries = {entry.path: entry for shard in range(origin.shards) for entry in read_part(folder_out, origin, shard)}
    images = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(entries) == len(images)
    for image in images:
        path = image.relative_to(folder).as_posix()
        expected = predictor.predict(image, encode)
        np.testing.assert_array_equal(mask_of(out, path), expected.mask_HW, err_msg=path)
        assert len(np.unique(expected.mask_HW)) > 1, "a mask of one class would hide a mistake"
        np.testing.assert_allclose(entries[path].fractions, expected.class_fractions_C, rtol=1e-6)
        assert entries[path].mean_confidence == pytest.approx(expected.mean_confidence, rel=1e-5)
        assert (entries[path].height, entries[path].width) == expected.mask_HW.shape


def test_images_that_are_resized(resizing: Registry, predict: Predict, tmp_path: Path) -> None:
    for number, (height, width) in enumerate(SIZES):
        write_image(tmp_path / "photos" / f"{number}.png", height, width)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.open(tmp_path / "photos" / "2.png").save(tmp_path / "photos" / "turned.jpg", exif=turned)
    counts = predict({"root": str(tmp_path / "photos")}, resizing, batch_size=3)
    assert (counts.predicted, counts.rejected) == (7, 0)
    assert_as_predicted(resizing, tmp_path / "photos", tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"normalize": "picture"}], ids=["channel", "picture"])
def test_images_that_a_window_slides_over(predict: Predict, tmp_path: Path, settings: dict) -> None:
    registry = scene_registry(tmp_path, mode="tile", **settings)
    for number, (height, width) in enumerate(SIZES):
        write_image(tmp_path / "photos" / f"{number}.png", height, width)
    assert predict({"root": str(tmp_path / "photos")}, registry).predicted == len(SIZES)
    assert_as_predicted(registry, tmp_path / "photos", tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["resize", "tile"])
def test_bands_of_16_bits_from_tiff_files_and_records(predict: Predict, tmp_path: Path, mode: str) -> None:
    registry = scene_registry(tmp_path, mode=mode, depth="uint16")
    (tmp_path / "fields").mkdir()
    (tmp_path / "records").mkdir()
    with tf.io.TFRecordWriter(str(tmp_path / "records" / "data_tfrecord-00000-of-00001")) as writer:
        for number, (height, width) in enumerate(SIZES):
            image_HWC = np.moveaxis(blocky_image(4, height, width, "uint16", 1000), 0, 2)
            tifffile.imwrite(
                tmp_path / "fields" / f"{number}.tif", image_HWC, photometric="minisblack", planarconfig="contig"
            )
            writer.write(record(f"field {number}", pack_bands(image_HWC[..., [2, 1, 3]])))
    assert predict({"root": str(tmp_path / "fields")}, registry).predicted == len(SIZES)
    assert_as_predicted(registry, tmp_path / "fields", tmp_path / "out")
    of_files = [mask_of(tmp_path / "out", f"{number}.tif") for number in range(len(SIZES))]
    source = {"type": "records", "root": str(tmp_path / "records")}
    assert predict(source, registry, overwrite=True).predicted == len(SIZES)
    for number, expected in enumerate(of_files):
        np.testing.assert_array_equal(mask_of(tmp_path / "out", f"field {number}"), expected)


def record(name: str, image: bytes) -> bytes:
    """A record as ingestion writes it, as far as it is read here."""

    def text(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    features = {records.IMAGE_ID: text(name.encode()), records.IMAGE_ENCODED: text(image)}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
