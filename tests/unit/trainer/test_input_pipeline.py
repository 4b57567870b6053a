"""From records to batches."""

from __future__ import annotations

import pytest
import tensorflow as tf

from common.errors import UserError
from components.trainer.config import Augmentation, TrainerConfig
from components.trainer.input_pipeline import (
    evaluation_dataset,
    read_constants,
    training_dataset,
)
from components.trainer.record_files import count_records
from components.trainer.sharing import Share, endless
from components.transform.features import COMPRESSION
from tests.support.transformed import Transformed

PLAIN = TrainerConfig(batch_size=5, augmentation=Augmentation(flip_horizontal=False))
IN_PIECES = PLAIN.model_copy(update={"cache_bytes": 1})


def masks_of(dataset: tf.data.Dataset) -> list[bytes]:
    return [mask.tobytes() for _, masks in dataset.as_numpy_iterator() for mask in masks]


@pytest.mark.parametrize("config", [PLAIN, IN_PIECES], ids=["held in memory", "read in pieces"])
def test_an_epoch_shows_every_pair_once(transformed: Transformed, config: TrainerConfig) -> None:
    seen = masks_of(training_dataset(transformed.train_files, config, transformed.config, seed=1))
    assert sorted(seen) == sorted(masks_of(evaluation_dataset(transformed.train_files, 4, transformed.config)))
    assert len(seen) == 12


def test_the_same_seed_gives_the_same_course_and_each_epoch_another_order(transformed: Transformed) -> None:
    first, again = (training_dataset(transformed.train_files, PLAIN, transformed.config, seed=1) for _ in range(2))
    epoch_1, epoch_2 = masks_of(first), masks_of(first)
    assert [epoch_1, epoch_2] == [masks_of(again), masks_of(again)]
    assert epoch_1 != epoch_2


@pytest.mark.parametrize("config", [PLAIN, IN_PIECES], ids=["held in memory", "read in pieces"])
def test_without_an_end_the_epochs_of_a_worker_are_those_of_reading_again(
    transformed: Transformed, config: TrainerConfig
) -> None:
    epochs = []
    for share in (Share(2, 0), Share(2, 1)):
        again, once = (
            training_dataset(transformed.train_files, config, transformed.config, seed=1, share=share) for _ in range(2)
        )
        masks = masks_of(endless(once, share.batch_sizes(12, 5)).take(9))
        epochs.append([masks[begin : begin + 6] for begin in (0, 6, 12)])
        assert epochs[-1] == [masks_of(again) for _ in range(3)]
    whole = sorted(masks_of(evaluation_dataset(transformed.train_files, 4, transformed.config)))
    assert [sorted(one + other) for one, other in zip(*epochs, strict=True)] == 3 * [whole]


def test_the_order_of_the_records_on_disk_does_not_matter(transformed: Transformed, tmp_path) -> None:  # type: ignore[no-untyped-def]
    stored = list(tf.data.TFRecordDataset(transformed.train_files, COMPRESSION).as_numpy_iterator())
    backwards = str(tmp_path / "backwards.gz")
    with tf.io.TFRecordWriter(backwards, COMPRESSION) as writer:
        for record in reversed(stored):
            writer.write(record)
    datasets = (
        training_dataset(files, PLAIN, transformed.config, 1) for files in (transformed.train_files, [backwards])
    )
    assert masks_of(next(datasets)) == masks_of(next(datasets))


def test_batches_are_uint8_of_the_models_size(transformed: Transformed) -> None:
    image, mask = next(iter(training_dataset(transformed.train_files, PLAIN, transformed.config, seed=1)))
    assert (image.shape, image.dtype) == ((5, 32, 32, 3), tf.uint8)
    assert (mask.shape, mask.dtype) == ((5, 32, 32), tf.uint8)


def test_records_are_counted(transformed: Transformed) -> None:
    assert count_records(transformed.train_files) == 12


def test_a_training_without_pictures_says_so(tmp_path) -> None:  # type: ignore[no-untyped-def]
    empty = str(tmp_path / "empty.gz")
    tf.io.TFRecordWriter(empty, COMPRESSION).close()
    with pytest.raises(UserError, match="no training record"):
        read_constants([empty], 3)
