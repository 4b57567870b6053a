"""TensorFlow Datasets as a source; the tests that read need the package `tensorflow-datasets`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from common.errors import UserError
from components.example_gen.check import survey
from components.example_gen.config import DataConfig, IndexLabels, TfdsSource
from components.example_gen.sources import data_fingerprint, open_source
from tests.support.data_set import CLASSES, blocks, photo

INSTALLED = importlib.util.find_spec("tensorflow_datasets") is not None
needs_tfds = pytest.mark.skipif(not INSTALLED, reason="tensorflow-datasets is not installed (extra segpipe[tfds])")


@pytest.mark.skipif(INSTALLED, reason="tensorflow-datasets is installed")
def test_without_the_package_the_error_says_what_to_install() -> None:
    with pytest.raises(UserError, match=r"pip install segpipe\[tfds\]"):
        open_source(TfdsSource(name="oxford_iiit_pet")).listing()


@pytest.fixture
def prepared(tmp_path: Path) -> str:
    """A data set of 20 + 6 trimaps, written by the package itself."""
    import tensorflow_datasets as tfds

    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="png"),
            "segmentation_mask": tfds.features.Tensor(shape=(24, 32, 1), dtype=np.uint8),
        }
    )

    def examples(start: int, stop: int) -> tf.data.Dataset:
        images = np.stack([np.asarray(photo(seed=i)) for i in range(start, stop)])
        masks = np.stack([blocks(values=(1, 2, 3))[..., None]] * (stop - start))
        return tf.data.Dataset.from_tensor_slices({"image": images, "segmentation_mask": masks})

    tfds.dataset_builders.store_as_tfds_dataset(
        name="trimaps",
        version="1.0.0",
        features=features,
        split_datasets={"train": examples(0, 20), "test": examples(20, 26)},
        data_dir=str(tmp_path),
    )
    return str(tmp_path)


@needs_tfds
def test_pairs_are_read_by_split_and_what_is_missing_is_taken_from_train(prepared: str) -> None:
    config = DataConfig(
        source=TfdsSource(name="trimaps", data_dir=prepared), classes=CLASSES, labels=IndexLabels(offset=1)
    )
    summary, quarantined = survey(config, seed=2)
    assert not quarantined
    assert summary.used["test"] == 6
    assert summary.used["train"] + summary.used["eval"] == 20
    assert all(count > 0 for count in summary.class_pixels["test"])


@needs_tfds
def test_encoded_pictures_keep_their_bytes_and_arrays_become_pngs(prepared: str) -> None:
    source = open_source(TfdsSource(name="trimaps", data_dir=prepared))
    wanted = [source.listing().pairs[i] for i in (3, 5, 21)]
    opened = list(source.open(wanted, 10_000))
    assert [entry.pair.id for entry in opened] == ["train/00000003", "train/00000005", "test/00000001"]
    assert all(entry.image().startswith(b"\x89PNG") and entry.mask().startswith(b"\x89PNG") for entry in opened)


@needs_tfds
def test_the_fingerprint_is_that_of_name_and_version(prepared: str) -> None:
    source = TfdsSource(name="trimaps", data_dir=prepared)
    assert data_fingerprint(source) == data_fingerprint(source)


@needs_tfds
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "nonesuch"}, "nonesuch cannot be opened"),
        ({"mask_key": "labels"}, "no feature 'labels'; it has image, segmentation_mask"),
        ({"splits": {"validation": "eval"}}, "no split 'validation'; it has test, train"),
    ],
)
def test_what_is_not_there_is_an_error_that_says_what_is(prepared: str, changes: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        open_source(TfdsSource(**({"name": "trimaps", "data_dir": prepared} | changes))).listing()
