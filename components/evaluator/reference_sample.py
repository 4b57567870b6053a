"""Runs the exported model on a sample of the evaluation split, as a server would, for the reference distribution.

The confusion counts of the evaluation cannot serve: they leave out void pixels, and have no confidence.  The sample is
the images whose names have the smallest hashes, so that it does not depend on the order of the records, and changes
little when images are added.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from common.band_image import for_request
from common.image_tone import png_size, tone_of
from common.records import IMAGE_ENCODED, IMAGE_ID
from common.signatures import CLASS_FRACTIONS, IMAGE, MASK_BYTES, MEAN_CONFIDENCE, SERVING_DEFAULT
from components.evaluator.reference import ReferenceDistribution, class_feature, make_reference, most_images


def measure_reference(
    model_folder: str, patterns: Sequence[str], split: str, classes: Sequence[str], images: int, batch_size: int
) -> ReferenceDistribution | None:
    """Returns the reference distribution; `None` if the model is not one to serve, or answers no image of the sample.

    Args:
        model_folder: The exported model.
        patterns: Globs of TFRecord files with the split.
        split: Name of the split.
        classes: Names of the classes.
        images: Most images of the sample; it is smaller with many classes, see `most_images`.
        batch_size: Images in a call.
    """
    serve = tf.saved_model.load(model_folder).signatures.get(SERVING_DEFAULT)
    if serve is None:
        return None
    chosen, total = _choose(patterns, most_images(len(classes), images))
    values: list[Mapping[str, float]] = []
    for batch in _batches(_images(patterns, chosen), batch_size):
        values += _features(serve, batch, classes)
    return make_reference(split, total, len(chosen) - len(values), classes, values) if values else None


def _records(patterns: Sequence[str]) -> Iterator[bytes]:
    """Yields the records as Beam reads them: compression by the file's suffix."""
    for path in sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern)):
        compression = "GZIP" if path.endswith(".gz") else ""
        yield from tf.data.TFRecordDataset(path, compression).as_numpy_iterator()


def _choose(patterns: Sequence[str], images: int) -> tuple[set[int], int]:
    """Returns the indices of the sample among the records, and the number of records."""
    spec = {IMAGE_ID: tf.io.FixedLenFeature([], tf.string)}
    hashes = [
        hashlib.sha256(tf.io.parse_single_example(record, spec)[IMAGE_ID].numpy()).digest()
        for record in _records(patterns)
    ]
    smallest = heapq.nsmallest(images, range(len(hashes)), key=lambda index: (hashes[index], index))
    return set(smallest), len(hashes)


def _images(patterns: Sequence[str], chosen: set[int]) -> Iterator[bytes]:
    spec = {IMAGE_ENCODED: tf.io.FixedLenFeature([], tf.string)}
    for index, record in enumerate(_records(patterns)):
        if index in chosen:
            yield for_request(tf.io.parse_single_example(record, spec)[IMAGE_ENCODED].numpy())


def _batches(images: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    while batch := list(itertools.islice(images, size)):
        yield batch


def _features(serve: Any, batch: list[bytes], classes: Sequence[str]) -> list[Mapping[str, float]]:
    """Returns the features of the images of a batch, without those that the model refuses, or Pillow cannot decode."""
    try:
        outputs = {name: value.numpy() for name, value in serve(**{IMAGE: tf.constant(batch)}).items()}
    except tf.errors.InvalidArgumentError:
        if len(batch) == 1:
            return []
        return [features for encoded in batch for features in _features(serve, [encoded], classes)]
    found = (_features_of(encoded, outputs, index, classes) for index, encoded in enumerate(batch))
    return [features for features in found if features is not None]


def _features_of(
    encoded: bytes, outputs: Mapping[str, Any], index: int, classes: Sequence[str]
) -> dict[str, float] | None:
    size = png_size(outputs[MASK_BYTES][index])
    try:
        tone = tone_of(encoded)
    except ValueError:
        return None
    assert size is not None, "a mask that the model returns is a PNG"
    return {
        **dict(zip(map(class_feature, classes), outputs[CLASS_FRACTIONS][index].tolist(), strict=True)),
        "mean_confidence": float(outputs[MEAN_CONFIDENCE][index]),
        "brightness": tone.brightness,
        "contrast": tone.contrast,
        "height": size[0],
        "width": size[1],
    }
