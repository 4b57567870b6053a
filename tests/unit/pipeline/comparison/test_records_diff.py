"""Which pairs of two runs' records differ."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from common.records import IMAGE_ENCODED, IMAGE_ID, MASK_ENCODED
from pipeline.comparison.records_diff import DataChange, data_change, read_pairs, serialized, trained_on


def write(folder: Path, **splits: dict[str, tuple[bytes, bytes]]) -> Path:
    for split, pairs in splits.items():
        (folder / f"Split-{split}").mkdir(parents=True)
        with tf.io.TFRecordWriter(str(folder / f"Split-{split}" / "data_tfrecord-00000-of-00001")) as writer:
            for name, (image, mask) in pairs.items():
                values = {IMAGE_ID: name.encode(), IMAGE_ENCODED: image, MASK_ENCODED: mask}
                features = {
                    key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for key, value in values.items()
                }
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())
    return folder


def test_every_kind_of_difference_is_told_apart(tmp_path: Path) -> None:
    before = write(
        tmp_path / "a",
        train={"same": (b"1", b"m"), "gone": (b"2", b"m"), "moves": (b"3", b"m")},
        test={"redrawn": (b"4", b"m"), "replaced": (b"5", b"m")},
    )
    after = write(
        tmp_path / "b",
        train={"same": (b"1", b"m"), "new": (b"6", b"m")},
        eval={},
        test={"redrawn": (b"4", b"M"), "replaced": (b"7", b"m"), "moves": (b"3", b"m")},
    )
    a, b = read_pairs(before), read_pairs(after)
    assert data_change(a, b) == DataChange(("new",), ("gone",), ("replaced",), ("redrawn",), ("moves",))
    assert data_change(a, b).total == 5
    assert data_change(a, a).total == 0
    assert len(list(serialized(after, "test"))) == 3


def test_an_image_that_a_saw_in_training_is_counted_under_another_name_too(tmp_path: Path) -> None:
    a = read_pairs(
        write(tmp_path / "a", train={"old": (b"1", b"m")}, eval={"e": (b"2", b"m")}, test={"t": (b"3", b"")})
    )
    b = read_pairs(write(tmp_path / "b", test={"new": (b"1", b"m"), "e": (b"2", b"x"), "t": (b"3", b"")}))
    assert trained_on(a, b, "test") == 2
    assert trained_on(b, b, "test") == 0
