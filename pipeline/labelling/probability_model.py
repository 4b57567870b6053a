"""An exported model as a source of class probabilities, by the path of its served masks.

A model that resizes images has a map at its own size, of which padding is cut off.  One that slides its window has the
blended probabilities of the tiles, strip by strip, at the size at which the tiles are cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from common.band_image import is_band_image, unpack_bands
from common.errors import UserError
from common.signatures import (
    IMAGE,
    MEAN,
    PIXELS,
    PROBABILITIES,
    SERVING_ARRAYS,
    SERVING_INPUTS,
    SERVING_VALUES,
    STD,
    VALUES,
)
from components.band_picture import viewable
from components.batch_predictor.loaded_model import LoadedModel, Refusal
from components.report.shown_predictions import read_rgb
from components.trainer.inference.config import InferenceConfig
from components.trainer.inference.orientation import decode_upright
from components.transform.config import TransformConfig
from components.transform.image_ops import placement, resize_pixels, scaled_size
from components.transform.picture_statistics import picture_statistics
from pipeline.scene.scene_file import Samples, Window
from pipeline.scene.tile_walk import TileSettings, TileWalk
from segpipe_client.errors import extract_error_message

Floats = npt.NDArray[np.float32]


class TooLargeError(Exception):
    """An image for which the sliding window needs too much memory; the text is the reason."""


class ProbabilityModel(LoadedModel):
    """The model, loaded once."""

    def __init__(self, folder: str, config: Mapping[str, Any] | None) -> None:
        """Loads the SavedModel in a folder.

        Args:
            folder: Its folder.
            config: The configuration that it was trained with; `None` if it is unknown, and then images are taken to be
                stretched to the model's size, or tiles to be cut at the images' own size.

        Raises:
            UserError: it has not the signatures for probabilities.
        """
        super().__init__(folder)
        signatures = self._model.signatures
        config = config or {}
        inference = config.get("trainer", {}).get("inference", {})
        self._inference = InferenceConfig.model_validate(inference)
        self._transform = TransformConfig.model_validate(config.get("transform", {}))
        has_inputs = SERVING_INPUTS in signatures
        self.is_tiled = self._inference.mode == "tile" if inference else has_inputs and SERVING_ARRAYS not in signatures
        if PROBABILITIES not in signatures or (self.is_tiled and not has_inputs):
            missing = SERVING_INPUTS if PROBABILITIES in signatures else PROBABILITIES
            raise UserError(
                f"the model in {folder} has no signature {missing}, from which probabilities come: export it with this "
                "version of segpipe"
            )

    def whole_maps(self, images: Sequence[bytes]) -> list[Floats | Refusal]:
        """Returns the probabilities [H, W, C] of each image as a whole, at the model's size, padding included.

        Each image is checked in the graph before it is decoded, also for a model that slides its window: there, the map
        is that of a shrunk image, and only shows that the model takes it.
        """
        try:
            found = self._model.signatures[PROBABILITIES](**{IMAGE: tf.constant(list(images))})
        except tf.errors.InvalidArgumentError as error:
            if len(images) == 1:
                return [Refusal(extract_error_message(error.message))]
            return [self.whole_maps([image])[0] for image in images]
        return list(found[PROBABILITIES].numpy())

    def parts(self, image_HWC: Samples, map_HWC: Floats) -> Iterator[Floats]:
        """Yields the probabilities [h, w, C] of an accepted image, in parts that together cover it once.

        Args:
            image_HWC: Its pixels, as `decode` returns them.
            map_HWC: As `whole_maps` returns it.

        Raises:
            TooLargeError: the sliding window would take too much memory.
        """
        if self.is_tiled:
            yield from (part_HWC for _, part_HWC in self._strips(self._scaled(image_HWC)))
        else:
            yield self.without_padding(map_HWC, image_HWC)

    def working_size(self, size_2: tuple[int, int]) -> tuple[int, int]:
        """Returns height and width of the planes of an image of `size_2`: its own, or scaled as tiles are cut."""
        if not self.is_tiled or self._inference.scale == 1:
            return size_2
        height, width = scaled_size(tf.constant(size_2), self._inference.scale).numpy().tolist()
        return height, width

    def planes(self, image_HWC: Samples, map_HWC: Floats) -> Iterator[tuple[int, Window, Floats]]:
        """Yields a class, a window of the image at its working size, and the probabilities of the class there.

        Arguments and errors are those of `parts`.
        """
        if self.is_tiled:
            for window, part_HWC in self._strips(self._scaled(image_HWC)):
                for index in range(part_HWC.shape[-1]):
                    yield index, window, part_HWC[..., index]
            return
        height, width = image_HWC.shape[:2]
        cut_HWC = tf.constant(self.without_padding(map_HWC, image_HWC))
        for index in range(cut_HWC.shape[-1]):
            resized_HW = tf.image.resize(cut_HWC[..., index, tf.newaxis], (height, width))[..., 0]
            yield index, Window(0, height, 0, width), resized_HW.numpy()

    def without_padding(self, map_HWC: Floats, image_HWC: Samples) -> Floats:
        """Returns the part of a map of `whole_maps` that is the image, as the model places it in its input."""
        height, width = map_HWC.shape[:2]
        place = placement(tf.constant(image_HWC.shape[:2]), height, width, self._transform.aspect)
        top, left, rows, columns = (int(number) for number in place)
        return map_HWC[top : top + rows, left : left + columns]

    def _scaled(self, image_HWC: Samples) -> Samples:
        if self._inference.scale == 1:
            return image_HWC
        resized = resize_pixels(tf.constant(image_HWC), scaled_size(tf.shape(image_HWC)[:2], self._inference.scale))
        values = resized.numpy()
        return (values if image_HWC.dtype.kind == "f" else np.rint(values)).astype(image_HWC.dtype)

    def _strips(self, image_HWC: Samples) -> Iterator[tuple[Window, Floats]]:
        signature = self._model.signatures[SERVING_INPUTS]
        specs = signature.structured_input_signature[1]
        height, width = specs[PIXELS].shape[1:3]
        classes = signature.structured_outputs[PROBABILITIES].shape[-1]
        settings = TileSettings((height, width), classes, self._inference.overlap, self._inference.batch)
        try:
            walk = TileWalk((image_HWC.shape[0], image_HWC.shape[1]), settings)
        except ValueError as error:
            raise TooLargeError(str(error)) from None
        statistics = self._statistics(image_HWC) if MEAN in specs else {}

        def network(tile_NHWC: Samples) -> Floats:
            answer = signature(**{PIXELS: tf.constant(tile_NHWC)}, **statistics)
            return np.asarray(answer[PROBABILITIES].numpy())

        def read(window: Window) -> Samples:
            return image_HWC[window.top : window.bottom, window.left : window.right]

        yield from walk.probabilities(read, network)

    def _statistics(self, image_HWC: Samples) -> dict[str, tf.Tensor]:
        """Returns the mean and deviation of the image's own values, for a network that is normalised by them."""
        values = tf.constant(image_HWC)
        if SERVING_VALUES in self._model.signatures:
            flat_NC = tf.reshape(values, [-1, image_HWC.shape[-1]])
            found = self._model.signatures[SERVING_VALUES](**{PIXELS: flat_NC})[VALUES]
            values = tf.reshape(found, image_HWC.shape)
        mean_C, std_C = picture_statistics(values)
        return {MEAN: mean_C, STD: std_C}


def decode(encoded: bytes) -> Samples:
    """Returns the upright pixels [H, W, C] of an image that a model accepts, of the samples' type."""
    if is_band_image(encoded):
        return unpack_bands(encoded)
    return np.asarray(decode_upright(tf.constant(encoded)).numpy())


def picture(encoded: bytes) -> Image.Image:
    """Returns an image that a model accepts as a picture to look at; of bands the first three, or the first in grey."""
    if is_band_image(encoded):
        return read_rgb(viewable(encoded))
    return Image.fromarray(decode(encoded))
