"""Planted wrong masks of a model whose answers are known; the tests of the whole command train one."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common.records import FOLD, IMAGE_ENCODED, IMAGE_ID, MASK_ENCODED, VOID
from pipeline.labelling.judges import OUT_OF_FOLD, TRAINED, UNSEEN, Judge, JudgedRun
from pipeline.labelling.suspects import find_suspects
from tests.support.serving import CLASS_NAMES

HEIGHT, WIDTH = 40, 48
CONFIG = {"data": {"classes": list(CLASS_NAMES)}}


def png(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG")
    return out.getvalue()


def pair(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A red square on green, with noise in all channels, and its mask."""
    random = np.random.default_rng(seed)
    mask_HW = np.zeros([HEIGHT, WIDTH], np.uint8)
    top, left = random.integers(4, 16, 2)
    mask_HW[top : top + 16, left : left + 16] = 1
    image_HWC = random.integers(0, 40, [HEIGHT, WIDTH, 3])
    image_HWC[..., 0] += 200 * mask_HW
    image_HWC[..., 1] += 200 * (1 - mask_HW)
    return image_HWC.astype(np.uint8), mask_HW


def write_split(examples: Path, split: str, pairs: dict[str, tuple[np.ndarray, np.ndarray]], fold: int = 0) -> None:
    folder = examples / f"Split-{split}"
    folder.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / f"data_tfrecord-{fold:05d}-of-00009")) as writer:
        for name, (image_HWC, mask_HW) in pairs.items():
            values = {IMAGE_ID: name.encode(), IMAGE_ENCODED: png(image_HWC), MASK_ENCODED: png(mask_HW)}
            features = {k: tf.train.Feature(bytes_list=tf.train.BytesList(value=[v])) for k, v in values.items()}
            features[FOLD] = tf.train.Feature(int64_list=tf.train.Int64List(value=[fold]))
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """Twenty pairs, of which three have a wrong mask and one none."""
    pairs = {f"fine-{seed:02d}": pair(seed) for seed in range(16)}
    image_HWC, mask_HW = pair(20)
    pairs["shifted"] = image_HWC, np.roll(mask_HW, 9, axis=1)
    image_HWC, mask_HW = pair(21)
    pairs["swapped"] = image_HWC, 2 * mask_HW
    pairs["empty"] = pair(22)[0], np.zeros([HEIGHT, WIDTH], np.uint8)
    pairs["void"] = pair(23)[0], np.full([HEIGHT, WIDTH], VOID, np.uint8)
    write_split(tmp_path, "train", pairs)
    return tmp_path


def test_wrong_masks_come_first_with_the_reason(by_colour: Path, examples: Path) -> None:
    run = JudgedRun(CONFIG, examples, [Judge(str(by_colour), {"train": TRAINED, "eval": TRAINED})])
    suspects = find_suspects(run, 5, 0.8, lambda _: None)
    assert (suspects.judged, suspects.void, suspects.rejections.number) == (19, 1, 0)
    found = {suspect.suspicion.id: suspect.suspicion for suspect in suspects.found}
    assert len(found) == 5 and set(list(found)[:3]) == {"shifted", "swapped", "empty"}
    assert [suspect.suspicion.order for suspect in suspects.found] == sorted(one.order for one in found.values())
    assert "roof predicted with " in found["empty"].reason and "the mask has ground" in found["empty"].reason
    assert "the mask has tree" in found["swapped"].reason and found["swapped"].class_scores["tree"] < 0.01
    assert found["empty"].contradicted_share == pytest.approx(16 * 16 / (HEIGHT * WIDTH), abs=0.04)
    assert all(one.seen == TRAINED for one in found.values())
    assert not run.is_out_of_fold


def test_each_pair_is_judged_by_the_model_of_its_fold(by_colour: Path, tmp_path: Path) -> None:
    for fold, (split, name) in enumerate({"eval": "one", "train": "two"}.items(), 1):
        write_split(tmp_path, split, {name: pair(fold)}, fold)
    write_split(tmp_path, "test", {"three": pair(3)})
    seen = {"train": OUT_OF_FOLD, "eval": OUT_OF_FOLD}
    judges = [Judge(str(by_colour), seen, 2), Judge(str(by_colour), {"test": UNSEEN})]
    run = JudgedRun(CONFIG, tmp_path, judges)
    suspects = find_suspects(run, 5, 0.8, lambda _: None)
    assert {(one.suspicion.id, one.suspicion.seen) for one in suspects.found} == {
        ("two", OUT_OF_FOLD),
        ("three", UNSEEN),
    }
    assert run.is_out_of_fold


def test_an_image_that_the_model_refuses_is_counted(by_colour: Path, tmp_path: Path) -> None:
    image_HWC, mask_HW = pair(0)
    write_split(tmp_path, "train", {"fine": (image_HWC, mask_HW)})
    large = np.zeros([2001, 2001, 3], np.uint8), np.zeros([2001, 2001], np.uint8)
    write_split(tmp_path, "eval", {"large": large})
    run = JudgedRun(CONFIG, tmp_path, [Judge(str(by_colour), {"train": TRAINED, "eval": TRAINED})])
    suspects = find_suspects(run, 5, 0.8, lambda _: None)
    assert suspects.judged == 1 and suspects.rejections.number == 1
    assert suspects.rejections.lines()[0].startswith("large: ")
