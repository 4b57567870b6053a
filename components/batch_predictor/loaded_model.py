"""The SavedModel, loaded once in a process, and its answers for batches of encoded images."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from common.plain_path import plain_path
from common.signatures import CLASS_FRACTIONS, MASK_BYTES, MEAN_CONFIDENCE, SERVING_DEFAULT
from segpipe_client.errors import extract_error_message


class Answer(NamedTuple):
    """Prediction for an image: an index PNG at its own size."""

    mask: bytes
    fractions: tuple[float, ...]
    mean_confidence: float

    @property
    def size_2(self) -> tuple[int, int]:
        """Height and width, from the PNG's header (RFC 2083, 4.1.1)."""
        width, height = (int.from_bytes(self.mask[place : place + 4], "big") for place in (16, 20))
        return height, width


class Refusal(NamedTuple):
    """The model's reason for an image that it refuses."""

    reason: str


class LoadedModel:
    """The model; its methods may be called from several threads."""

    def __init__(self, folder: str) -> None:
        """Loads the SavedModel in a folder, or at an address of a bucket, which is copied to this machine first."""
        if "://" in folder:
            with tempfile.TemporaryDirectory(prefix="segpipe-") as scratch:
                _download(folder, Path(scratch))
                self._model: Any = tf.saved_model.load(scratch)
        else:
            self._model = tf.saved_model.load(str(plain_path(folder)))
        self._serve = self._model.signatures[SERVING_DEFAULT]

    def predict(self, images: Sequence[bytes]) -> list[Answer | Refusal]:
        """Returns the answer for each image.  One that is refused fails the graph, so then each is run by itself."""
        try:
            answer = self._serve(image=tf.constant(list(images)))
        except tf.errors.InvalidArgumentError as error:
            if len(images) == 1:
                return [Refusal(extract_error_message(error.message))]
            return [self.predict([image])[0] for image in images]
        columns = (answer[name].numpy() for name in (MASK_BYTES, CLASS_FRACTIONS, MEAN_CONFIDENCE))
        return [Answer(mask, tuple(shares.tolist()), float(mean)) for mask, shares, mean in zip(*columns, strict=True)]


def _download(address: str, target: Path) -> None:
    [matched] = FileSystems.match([f"{address}/**"])
    for file in matched.metadata_list:
        path = target / os.path.relpath(file.path, address)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileSystems.open(file.path, compression_type=CompressionTypes.UNCOMPRESSED) as source:
            path.write_bytes(source.read())
