"""Sliding-window inference in the graph, with memory proportional to the image's shorter side.

The probabilities of overlapping tiles are averaged with Gaussian weights, because a network is least reliable
at the border of its input (nnU-Net, Isensee et al. 2021; `sliding_window_inference` of MONAI).  All probabilities of
an image of 25 megapixels and 59 classes would take 6 GB, so the window moves along the longer side with a band of
probabilities one tile high: pixels that no further tile covers are decided, and leave the band.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from common.reliability import reliability_sums
from common.signatures import CONFIDENCE_BINS, RELIABILITY_SUMS
from components.trainer.inference.config import InferenceConfig
from components.trainer.inference.grid import lay_tiles, mirrored
from components.trainer.inference.postprocess import Argmax, argmax
from components.trainer.inference.test_time_augmentation import Network
from components.transform.image_ops import resize_pixels, scaled_size


class Decided(NamedTuple):
    """The argmax class of every pixel, uint8, and its mean probability."""

    class_HW: tf.Tensor
    mean_confidence: tf.Tensor


class Judged(NamedTuple):
    """The argmax class of every pixel, uint8, and the sums of `reliability_sums`."""

    class_HW: tf.Tensor
    reliability_CMR: tf.Tensor


Measure = Callable[[Argmax, tf.Tensor], tf.Tensor]
"""Figures of a part of an image, float64, that are added up over the parts.

Its arguments are the argmax [B, A] of the part, and the position along the direction of its first pixel.
"""


def tiled_size(size_2: tf.Tensor, tile_2: tuple[int, int], scale: float) -> tf.Tensor:
    """Returns height and width of the tiled area for an image of `size_2`: scaled, and no smaller than a tile."""
    return tf.maximum(scaled_size(size_2, scale), tf.constant(tile_2))


def decide_in_tiles(
    image_HWC: tf.Tensor, network: Network, tile_2: tuple[int, int], num_classes: int, config: InferenceConfig
) -> Decided:
    """Predicts the classes of an image at its own size.

    Args:
        image_HWC: the image, uint8, or float32 bands.
        network: gives probabilities of a batch of tiles.
        tile_2: height and width of the network's input.
        num_classes: C.
        config: overlap, scale and batch.
    """
    walk = _Walk(image_HWC, network, tile_2, num_classes, config)
    class_HW, confidence = walk.decide(lambda best, _: tf.reduce_sum(tf.cast(best.confidence_HW, tf.float64)), [])
    return Decided(class_HW, tf.cast(confidence / tf.cast(tf.size(class_HW), tf.float64), tf.float32))


def judge_in_tiles(
    image_HWC: tf.Tensor,
    truth_HW: tf.Tensor,
    network: Network,
    tile_2: tuple[int, int],
    num_classes: int,
    config: InferenceConfig,
) -> Judged:
    """As `decide_in_tiles`, and compares with the truth, band by band: no map of the confidence is made."""
    walk = _Walk(image_HWC, network, tile_2, num_classes, config)
    truth_BA = walk.across_and_along(truth_HW)

    def measure(best: Argmax, first: tf.Tensor) -> tf.Tensor:
        part_BA = truth_BA[:, first : first + tf.shape(best.class_HW)[1]]
        return reliability_sums(part_BA, best.class_HW, best.confidence_HW, num_classes)

    return Judged(*walk.decide(measure, [num_classes, CONFIDENCE_BINS, len(RELIABILITY_SUMS)]))


class _Walk:
    """One pass of the sliding window over an image.

    Axes are named by the direction: `A` along it (the image's longer side), `B` across.  A band is stored [B, A, C], so
    that neighbouring tiles are added to whole slices.
    """

    def __init__(
        self, image_HWC: tf.Tensor, network: Network, tile_2: tuple[int, int], num_classes: int, config: InferenceConfig
    ) -> None:
        own_2 = tf.shape(image_HWC)[:2]
        self._network = network
        self._tile_2 = tile_2
        self._num_classes = num_classes
        self._batch = config.batch
        self._is_scaled = config.scale != 1
        if self._is_scaled:
            image_HWC = resize_pixels(image_HWC, scaled_size(own_2, config.scale))
        size_2 = tf.shape(image_HWC)[:2]
        self._is_wide = size_2[1] > size_2[0]
        rows, columns = (lay_tiles(size_2[i], tile_2[i], config.overlap) for i in range(2))
        self._along, self._across = tf.cond(self._is_wide, lambda: (columns, rows), lambda: (rows, columns))
        self._image_ABC = tf.transpose(image_HWC, self._if_wide([1, 0, 2], [0, 1, 2]))
        self._own_along, self._own_across = tf.unstack(tf.gather(own_2, self._if_wide([1, 0], [0, 1])))

    def across_and_along(self, plane_HW: tf.Tensor) -> tf.Tensor:
        """Returns a plane at the image's own size as [B, A]."""
        return tf.transpose(plane_HW, self._if_wide([0, 1], [1, 0]))

    def decide(self, measure: Measure, shape: list[int]) -> tuple[tf.Tensor, tf.Tensor]:
        """Runs the whole pass; returns the classes [H, W] and the sum of `measure`, which has that shape."""
        steps = tf.shape(self._along.position_NT)[0]
        decided = tf.TensorArray(tf.uint8, size=steps, infer_shape=False, element_shape=[None, None])
        band_BAC = tf.zeros([self._across.padded, tf.shape(self._along.position_NT)[1], self._num_classes])
        first = (tf.constant(0), band_BAC, band_BAC[:, :1], decided, tf.constant(0), tf.zeros(shape, tf.float64))
        band = tf.TensorShape([None, None, self._num_classes])
        number = tf.TensorShape([])
        _, _, _, decided, _, measured = tf.while_loop(
            lambda step, *_: step < steps,
            lambda *state: self._step(measure, *state),
            first,
            shape_invariants=(number, band, band, tf.TensorShape(None), number, tf.TensorShape(shape)),
            parallel_iterations=1,
        )
        class_HW = tf.transpose(decided.concat(), self._if_wide([1, 0], [0, 1]))
        return tf.ensure_shape(class_HW, [None, None]), measured

    def _step(
        self,
        measure: Measure,
        step: tf.Tensor,
        band_BAC: tf.Tensor,
        before_B1C: tf.Tensor,
        decided: tf.TensorArray,
        position: tf.Tensor,
        measured: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray, tf.Tensor, tf.Tensor]:
        """Adds the row of tiles at this step, and decides the pixels that no later tiles cover.

        Args:
            measure: what is added up.
            step: counts from 0.
            band_BAC: sum of probabilities of earlier tiles, from the tiles' first position on.
            before_B1C: the column of pixels before that, needed for interpolation.
            decided: classes [A, B] of each step.
            position: number of the image's own pixels along the direction that are decided.
            measured: sum of `measure` over them.
        """
        band_BAC = self._add_tiles(step, band_BAC)
        start = self._along.position_NT[step, 0]
        is_last = tf.equal(step + 1, tf.shape(self._along.position_NT)[0])
        end = tf.cond(is_last, lambda: self._along.padded, lambda: self._along.position_NT[step + 1, 0])
        finished = end - start
        across, along = self._across, self._along
        # Only an image shorter than a tile has margins along the direction, and then this is the only step.
        done_BAC = band_BAC[
            across.margin : across.margin + across.length,
            along.margin : tf.minimum(finished, along.margin + along.length),
        ]
        best = self._interpolated(done_BAC, before_B1C, start, end, is_last) if self._is_scaled else _plain(done_BAC)
        measured += measure(best, position)
        position += tf.shape(best.class_HW)[1]
        rest_BAC = tf.pad(band_BAC[:, finished:], [[0, 0], [0, finished], [0, 0]])
        decided = decided.write(step, tf.transpose(best.class_HW))
        return step + 1, rest_BAC, done_BAC[:, -1:], decided, position, measured

    def _add_tiles(self, step: tf.Tensor, band_BAC: tf.Tensor) -> tf.Tensor:
        """Adds the weighted predictions of the tiles at a step, `batch` at a time."""
        rows_A = mirrored(self._along.position_NT[step] - self._along.margin, self._along.length)
        strip_ABC = tf.gather(self._image_ABC, rows_A)
        tiles = tf.shape(self._across.position_NT)[0]

        def add(first: tf.Tensor, band_BAC: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            position_NB = self._across.position_NT[first : first + self._batch]
            columns_NB = mirrored(position_NB - self._across.margin, self._across.length)
            tile_NBAC = self._probabilities(tf.gather(strip_ABC, columns_NB, axis=1))
            weight_NB = self._across.weight_NT[first : first + self._batch]
            weight_NBA = weight_NB[..., tf.newaxis] * self._along.weight_NT[step]
            band_BAC = tf.tensor_scatter_nd_add(
                band_BAC, position_NB[..., tf.newaxis], tile_NBAC * weight_NBA[..., tf.newaxis]
            )
            return first + self._batch, band_BAC

        shapes = (tf.TensorShape([]), tf.TensorShape([None, None, self._num_classes]))
        return tf.while_loop(
            lambda first, _: first < tiles, add, (tf.constant(0), band_BAC), shapes, parallel_iterations=1
        )[1]

    def _probabilities(self, tile_ANBC: tf.Tensor) -> tf.Tensor:
        """Returns probabilities [N, B, A, C] of tiles that were cut out as [A, N, B, bands]."""
        image_NHWC = tf.transpose(tile_ANBC, self._if_wide([1, 2, 0, 3], [1, 0, 2, 3]))
        probabilities_NHWC = self._network(tf.ensure_shape(image_NHWC, [None, *self._tile_2, tile_ANBC.shape[-1]]))
        return tf.transpose(probabilities_NHWC, self._if_wide([0, 1, 2, 3], [0, 2, 1, 3]))

    def _interpolated(
        self, done_BAC: tf.Tensor, before_B1C: tf.Tensor, start: tf.Tensor, end: tf.Tensor, is_last: tf.Tensor
    ) -> Argmax:
        """Returns the argmax [B, A] of the image's own pixels between finished positions.

        Bilinear with half-pixel centres, as `tf.image.resize`.
        """
        before_B1C = tf.cond(tf.equal(start, 0), lambda: done_BAC[:, :1], lambda: before_B1C)
        source_BAC = tf.concat([before_B1C, done_BAC], axis=1)
        first = self._own_positions_before(start)
        last = tf.where(is_last, self._own_along, self._own_positions_before(end))
        zoom_across = tf.cast(self._own_across / self._across.length, tf.float32)
        zoom_along = self._own_along / self._along.length
        shift = tf.cast(tf.cast(start - 1, tf.float64) * zoom_along - tf.cast(first, tf.float64), tf.float32)

        def plane(index: tf.Tensor) -> tf.Tensor:
            return tf.raw_ops.ScaleAndTranslate(
                images=source_BAC[tf.newaxis, ..., index, tf.newaxis],
                size=tf.stack([self._own_across, last - first]),
                scale=tf.stack([zoom_across, tf.cast(zoom_along, tf.float32)]),
                translation=tf.stack([0.0, shift]),
                kernel_type="triangle",
                antialias=False,
            )[0, ..., 0]

        return argmax(plane, self._num_classes)

    def _own_positions_before(self, end: tf.Tensor) -> tf.Tensor:
        """Counts the image's own pixels along the direction up to the centre of position `end` − 1.

        Pixel j has its centre at (j + ½)·length/own, so the condition is (2j + 1)·length ≤ (2·end − 1)·own.
        """
        end, own, length = (tf.cast(number, tf.int64) for number in (end, self._own_along, self._along.length))
        return tf.cast(tf.maximum(((2 * end - 1) * own - length) // (2 * length) + 1, 0), tf.int32)

    def _if_wide(self, wide: list[int], tall: list[int]) -> tf.Tensor:
        return tf.where(self._is_wide, tf.constant(wide), tf.constant(tall))


def _plain(probabilities_BAC: tf.Tensor) -> Argmax:
    return argmax(lambda index: probabilities_BAC[..., index], probabilities_BAC.shape[-1])
