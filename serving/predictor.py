"""Predictor: verifies and loads a registry version in this process, and predicts masks."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from common.errors import UserError
from common.signatures import CLASS_FRACTIONS, MASK_BYTES, MEAN_CONFIDENCE, SERVING_DEFAULT
from registry.manifest import Manifest
from registry.store import Registry
from segpipe_client.errors import extract_error_message
from serving.errors import FailedPictureError, RefusedPictureError


class Prediction(NamedTuple):
    """Prediction for one image."""

    mask_HW: np.ndarray
    class_fractions_C: np.ndarray
    mean_confidence: float
    picture: bytes
    """The image as the model took it."""


class Predictor:
    """Loaded version of the registry, by default the served one.

    Its files are copied and verified by the manifest's hashes before TensorFlow reads them: a model is a program.
    """

    def __init__(self, registry: Registry, version: int | None = None) -> None:
        """Loads the model.

        Raises:
            UserError: no version is served, the version does not exist, or its files do not have the manifest's hashes.
        """
        import tensorflow as tf

        number = registry.served() if version is None else version
        if number is None:
            raise UserError(f"the registry {registry.uri} serves no model yet; `segpipe run` pushes a blessed one")
        self.manifest: Manifest = registry.manifest(number)
        with tempfile.TemporaryDirectory(prefix="segpipe-") as scratch:
            target = os.path.join(scratch, "model")
            registry.fetch(number, target)
            self._model = tf.saved_model.load(target)
        self._serve = self._model.signatures[SERVING_DEFAULT]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in the order of their indices."""
        return tuple(self.manifest.config["data"]["classes"])

    def signature(self, name: str) -> Any:
        """Returns the concrete function of a signature; None if the model has none of that name."""
        return self._model.signatures.get(name)

    def predict(self, picture: Path, encode: Callable[[Path, bytes], bytes] | None = None) -> Prediction:
        """Predicts the mask of an image at its own size; upright, if its Exif data rotates it.

        `encode` makes what the model takes of the file's path and bytes; without it those are the bytes.

        Raises:
            RefusedPictureError: the model refuses it.
            FailedPictureError: the file cannot be read.
        """
        try:
            data = picture.read_bytes()
        except OSError as error:
            raise FailedPictureError(f"cannot read the image {picture}: {error.strerror}") from None
        return self.predict_encoded(picture, encode(picture, data) if encode else data)

    def predict_encoded(self, picture: Path, encoded: bytes) -> Prediction:
        """As `predict`, of the bytes that the model takes; an error names the file `picture`."""
        import tensorflow as tf

        try:
            answer = self._serve(image=tf.constant([encoded]))
        except tf.errors.InvalidArgumentError as error:
            raise RefusedPictureError(f"{picture}: {extract_error_message(error.message)}") from None
        mask_HW = np.asarray(Image.open(io.BytesIO(answer[MASK_BYTES].numpy()[0])))
        fractions_C, confidence = answer[CLASS_FRACTIONS].numpy()[0], float(answer[MEAN_CONFIDENCE].numpy()[0])
        return Prediction(mask_HW, fractions_C, confidence, encoded)
