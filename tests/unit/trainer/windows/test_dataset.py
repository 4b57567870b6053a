"""Batches of windows from the records of a real transform graph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism

from common import records
from common.errors import UserError
from common.records import VOID
from components.trainer.architectures import UNet
from components.trainer.augmentation.config import Augmentation
from components.trainer.config import TrainerConfig
from components.trainer.sharing import Share, endless
from components.trainer.training import Places, train
from components.trainer.windows.config import WindowsConfig
from components.trainer.windows.dataset import evaluation_windows, training_windows, windows_per_epoch
from components.trainer.windows.source import NativeRecords, read_native
from components.transform import features
from components.transform.config import TransformConfig
from components.transform.features import COMPRESSION
from tests.support.transformed import CROP, NUM_CLASSES, Transformed

BY_PICTURE = CROP.model_copy(update={"normalize": "picture"})
PLAIN = TrainerConfig(
    batch_size=5, augmentation=Augmentation(flip_horizontal=False), windows=WindowsConfig(per_epoch=12)
)
IN_PIECES = PLAIN.model_copy(update={"cache_bytes": 1})


def read(native: Transformed, config: TrainerConfig = PLAIN) -> NativeRecords:
    return read_native(native.train_files, NUM_CLASSES, config.cache_bytes)


def content(dataset: tf.data.Dataset) -> list[bytes]:
    return [
        image.tobytes() + mask.tobytes()
        for images, masks in dataset
        for image, mask in zip(images.numpy(), masks.numpy(), strict=True)
    ]


@pytest.mark.parametrize("config", [PLAIN, IN_PIECES], ids=["held in memory", "read in pieces"])
def test_an_epoch_has_the_configured_number_of_windows(native: Transformed, config: TrainerConfig) -> None:
    batches = list(training_windows(read(native, config), config, CROP, seed=1))
    assert [len(image) for image, _ in batches] == [5, 5, 2]
    assert (batches[0][0].shape, batches[0][0].dtype) == ((5, 32, 32, 3), tf.uint8)
    assert (batches[0][1].shape, batches[0][1].dtype) == ((5, 32, 32), tf.uint8)


def test_by_default_an_epoch_has_the_pixels_of_the_images(native: Transformed) -> None:
    config = PLAIN.model_copy(update={"windows": WindowsConfig()})
    images = read(native)
    pixels = int((images.height_N * images.width_N).sum())
    expected = max(5, round(pixels / 32**2))
    assert windows_per_epoch(images, config, CROP) == expected
    assert len(content(training_windows(images, config, CROP, seed=1))) == expected


def test_the_same_seed_gives_the_same_windows_and_each_epoch_others(native: Transformed) -> None:
    first, again = (training_windows(read(native), PLAIN, BY_PICTURE, seed=1) for _ in range(2))
    epoch_1, epoch_2 = content(first), content(first)
    assert [epoch_1, epoch_2] == [content(again), content(again)]
    assert not set(epoch_1) & set(epoch_2)
    assert epoch_1 != content(training_windows(read(native), PLAIN, BY_PICTURE, seed=2))


def test_without_an_end_the_epochs_of_a_worker_are_those_of_reading_again(native: Transformed) -> None:
    share, images = Share(2, 1), read(native, IN_PIECES)
    again, once = (training_windows(images, IN_PIECES, CROP, seed=1, share=share) for _ in range(2))
    windows = content(endless(once, share.batch_sizes(12, 5)).take(9))
    assert windows == content(again) + content(again) + content(again)
    assert len(windows) == 3 * 6


def test_the_order_of_the_records_on_disk_does_not_matter(native: Transformed, tmp_path: Path) -> None:
    stored = list(tf.data.TFRecordDataset(native.train_files, COMPRESSION).as_numpy_iterator())
    backwards = str(tmp_path / "backwards.gz")
    with tf.io.TFRecordWriter(backwards, COMPRESSION) as writer:
        for record in reversed(stored):
            writer.write(record)
    one, other = (
        training_windows(read_native(files, NUM_CLASSES, 10**9), PLAIN, CROP, 1)
        for files in (native.train_files, [backwards])
    )
    assert content(one) == content(other)


def only(native: Transformed, pair: dict[str, bytes], folder: Path) -> Transformed:
    """The record of one of the pairs, in a file of its own."""
    file = str(folder / "one.gz")
    with tf.io.TFRecordWriter(file, COMPRESSION) as writer:
        for record in tf.data.TFRecordDataset(native.train_files, COMPRESSION).as_numpy_iterator():
            feature = tf.train.Example.FromString(record).features.feature
            if feature[features.ID].bytes_list.value[0] == pair[records.IMAGE_ID]:
                writer.write(record)
    return native._replace(pairs=[pair], train_files=[file])


def test_images_are_normalised_by_the_statistics_of_the_whole_image(native: Transformed, tmp_path: Path) -> None:
    pair = native.pairs[0]
    transformed = only(native, pair, tmp_path)
    whole = tf.io.decode_png(pair["image/encoded"]).numpy().astype(np.float64)
    mean_3, std_3 = whole.mean(axis=(0, 1)), whole.std(axis=(0, 1))
    seen = {}
    for transform in (CROP, BY_PICTURE):
        seen[transform.normalize] = next(iter(training_windows(read(transformed), PLAIN, transform, seed=1)))[0].numpy()
    assert seen["picture"].dtype == np.float32
    np.testing.assert_allclose(seen["picture"], (seen["channel"] - mean_3) / (std_3 + 8), atol=1e-4)


@pytest.mark.parametrize("transform", [CROP, BY_PICTURE], ids=["uint8", "normalised"])
@pytest.mark.parametrize("config", [PLAIN, IN_PIECES], ids=["held in memory", "read in pieces"])
def test_the_eval_split_is_seen_in_fixed_windows(
    native: Transformed, config: TrainerConfig, transform: TransformConfig
) -> None:
    dataset = evaluation_windows(read(native, config), config, transform)
    assert content(dataset) == content(dataset)
    masks = np.concatenate([mask.numpy() for _, mask in dataset])
    counted_C = np.bincount(masks[masks != VOID], minlength=NUM_CLASSES)
    assert counted_C.tolist() == read(native).class_pixels_C.tolist()


@pytest.fixture
def ends_determinism() -> Iterator[None]:
    """Turns determinism off: a training leaves it on, and random numbers without a seed are an error then."""
    yield
    disable_op_determinism()


@pytest.mark.usefixtures("ends_determinism")
def test_a_training_on_windows_ends_with_the_same_figures_again(native: Transformed, tmp_path: Path) -> None:
    config = TrainerConfig(
        model=UNet(width=4, depth=2), batch_size=4, epochs=2, windows=WindowsConfig(per_epoch=10), deterministic=True
    )
    losses = []
    for name in ("one", "again"):
        folder = str(tmp_path / name)
        (tmp_path / name).mkdir()
        places = Places(native.train_files, native.train_files, folder, f"{folder}/events")
        result = train(config, BY_PICTURE, NUM_CLASSES, 1, places)
        assert result is not None
        assert result.history.train_pictures == 5
        losses.append([epoch.metrics["loss"] for epoch in result.history.epochs])
    assert losses[0] == losses[1]
    assert len(losses[0]) == 2


def test_a_split_without_records_is_refused(tmp_path: Path) -> None:
    empty = str(tmp_path / "empty.gz")
    tf.io.TFRecordWriter(empty, COMPRESSION).close()
    with pytest.raises(UserError, match="has no record"):
        read_native([empty], NUM_CLASSES, 10**9)
