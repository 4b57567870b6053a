"""The reference distribution in the evaluation's pipeline: what the exported model answers, as a server does.

The confusion counts of the evaluation cannot serve: they leave out void pixels, and have no confidence.  The sample is
the images whose names have the smallest hashes, so that it does not depend on the order of the records, and changes
little when images are added.  The records are read a second time, as the sample is known only when all have been seen.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import apache_beam as beam
import tensorflow as tf
from tfx.utils import io_utils

from common.band_image import for_request
from common.image_tone import png_size, tone_of
from common.record_features import first_bytes
from common.records import IMAGE_ENCODED, IMAGE_ID
from common.signatures import CLASS_FRACTIONS, IMAGE, MASK_BYTES, MEAN_CONFIDENCE, SERVING_DEFAULT
from components.evaluator.loaded_models import LoadedModels, Outputs, SharedModels
from components.evaluator.measuring import ReadRecords
from components.evaluator.reference import REFERENCE_FILE, class_feature, make_reference, most_images

Features = Mapping[str, float]


class Sample(NamedTuple):
    """What a reference distribution is measured on."""

    split: str
    classes: tuple[str, ...]
    images: int
    """Most images; there are fewer with many classes, see `most_images`."""
    batch_size: int


class _Sampled(NamedTuple):
    """An image of the sample, as a request has it."""

    digest: bytes
    encoded: bytes


class _Answer(NamedTuple):
    """The features of an image; None if the model refuses it, or Pillow cannot decode it."""

    digest: bytes
    features: Features | None


class MeasureReference(beam.PTransform):
    """Writes `reference.json` to a folder, if the model answers any image of the sample."""

    def __init__(self, patterns: Sequence[str], model: str, shared: SharedModels, sample: Sample, folder: str) -> None:
        """Describes the measurement.

        Args:
            patterns: Globs of TFRecord files with the split.
            model: Folder of the exported model.
            shared: The models that the workers load, this one among them.
            sample: What to measure.
            folder: Folder of the file.
        """
        super().__init__()
        self._records = ReadRecords(patterns)
        self._serve = _Serve(model, shared, sample.classes)
        self._sample = sample
        self._folder = folder

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection[None]:
        """Adds both readings of the records, and what writes the file."""
        sample = self._sample
        digests = pbegin | "AllRecords" >> self._records | "Digest" >> beam.Map(_digest)
        total = digests | "Total" >> beam.combiners.Count.Globally()
        largest = (
            digests
            | "Sample" >> beam.combiners.Top.Smallest(most_images(len(sample.classes), sample.images))
            | "Largest" >> beam.Map(max, default=b"")
        )
        answers = (
            pbegin
            | "SampledRecords" >> self._records
            | "InSample" >> beam.FlatMap(_sampled, beam.pvalue.AsSingleton(largest))
            | "Batch" >> beam.BatchElements(min_batch_size=sample.batch_size, max_batch_size=sample.batch_size)
            | "Serve" >> beam.ParDo(self._serve)
        )
        return (
            pbegin
            | "Folder" >> beam.Create([self._folder])
            | "Write" >> beam.Map(_write, sample, beam.pvalue.AsSingleton(total), beam.pvalue.AsList(answers))
        )


def _digest(record: bytes) -> bytes:
    return _digest_of(_parsed(record))


def _sampled(record: bytes, largest: bytes) -> Iterator[_Sampled]:
    """Yields the image of a record whose hash is at most the `largest` of the sample."""
    features = _parsed(record)
    if (digest := _digest_of(features)) <= largest:
        yield _Sampled(digest, for_request(first_bytes(features, IMAGE_ENCODED)))


def _parsed(record: bytes) -> Mapping[str, tf.train.Feature]:
    return tf.train.Example.FromString(record).features.feature


def _digest_of(features: Mapping[str, tf.train.Feature]) -> bytes:
    return hashlib.sha256(first_bytes(features, IMAGE_ID)).digest()


class _Serve(beam.DoFn):
    """Batches of images → the model's answers."""

    def __init__(self, model: str, shared: SharedModels, classes: Sequence[str]) -> None:
        self._model = model
        self._shared = shared
        self._classes = tuple(classes)

    def setup(self) -> None:
        self._loaded = self._shared.acquire()

    def process(self, element: Sequence[_Sampled]) -> Iterator[_Answer]:
        features = _features(self._loaded, self._model, [image.encoded for image in element], self._classes)
        for image, found in zip(element, features, strict=True):
            yield _Answer(image.digest, found)


def _features(models: LoadedModels, model: str, images: list[bytes], classes: Sequence[str]) -> list[Features | None]:
    try:
        outputs = models.call(model, SERVING_DEFAULT, **{IMAGE: tf.constant(images)})
    except tf.errors.InvalidArgumentError:  # One refused image fails the whole batch.
        if len(images) == 1:
            return [None]
        return [found for encoded in images for found in _features(models, model, [encoded], classes)]
    return [_features_of(encoded, outputs, index, classes) for index, encoded in enumerate(images)]


def _features_of(encoded: bytes, outputs: Outputs, index: int, classes: Sequence[str]) -> Features | None:
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


def _write(folder: str, sample: Sample, total: int, answers: Sequence[_Answer]) -> None:
    """Writes the features in the order of the hashes, so that the file does not depend on who read the records."""
    ordered = sorted(answers, key=lambda answer: answer.digest)
    values = [answer.features for answer in ordered if answer.features is not None]
    if values:
        reference = make_reference(sample.split, total, len(answers) - len(values), sample.classes, values)
        io_utils.write_string_file(os.path.join(folder, REFERENCE_FILE), reference.model_dump_json())
