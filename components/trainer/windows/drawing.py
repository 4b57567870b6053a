"""Drawing of images: how many windows of each image an epoch has.

The numbers are drawn by systematic sampling: image i gets ⌊Cᵢ + u⌋ − ⌊Cᵢ₋₁ + u⌋ windows, where C is the cumulative sum
of the expected numbers and u a uniform number.  So each image has its probability, an epoch has exactly the configured
number of windows, and images with an expected number of 1 or more occur in each epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common.errors import UserError
from components.trainer.windows.config import WindowsConfig

_POWERS = {"area": 1.0, "root_area": 0.5, "image": 0.0}


class Rates(NamedTuple):
    """The expected number of windows of an image: the rate of its slice value × its area to a power."""

    values: tuple[bytes, ...]
    """Slice values."""
    rate_V: npt.NDArray[np.float64]
    power: float

    def expected(self, slice_N: Sequence[bytes], area_N: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Returns the expected number of windows of each image."""
        index = {value: place for place, value in enumerate(self.values)}
        rate_N = self.rate_V[[index[value] for value in slice_N]]
        return np.asarray(rate_N * np.power(np.asarray(area_N, np.float64), self.power))

    def expected_in_graph(self, slice_value: tf.Tensor, area: tf.Tensor) -> tf.Tensor:
        """Returns the same for one image, float64."""
        is_value_V = tf.constant(self.values) == slice_value
        rate = tf.reduce_sum(tf.where(is_value_V, tf.constant(self.rate_V), 0.0))
        return rate * tf.pow(tf.cast(area, tf.float64), self.power)


def make_rates(slice_N: Sequence[bytes], area_N: npt.NDArray[np.int64], config: WindowsConfig, per_epoch: int) -> Rates:
    """Returns the rates with which an epoch is expected to have `per_epoch` windows.

    Raises:
        UserError: a slice value has no share, or no image has one above 0.
    """
    values = tuple(sorted(set(slice_N)))
    power = _POWERS[config.draw_by]
    weight_N = np.power(area_N.astype(np.float64), power)
    place_N = np.array([values.index(value) for value in slice_N])
    total_V = np.bincount(place_N, weights=weight_N, minlength=len(values))
    share_V = _shares(values, config) if config.column else total_V
    if not share_V.sum():
        raise UserError(
            f"no training image has a share above 0 in trainer.windows.shares: the values of {config.column} are "
            + ", ".join(repr(value.decode(errors="replace")) for value in values)
        )
    return Rates(values, per_epoch * share_V / share_V.sum() / total_V, power)


def _shares(values: Sequence[bytes], config: WindowsConfig) -> npt.NDArray[np.float64]:
    column = config.column or ""
    shares = {value.encode(): share for value, share in config.shares[column].items()}
    missing = [value.decode(errors="replace") for value in values if value not in shares]
    if missing:
        raise UserError(
            f"trainer.windows.shares has no share for {column} {missing[0]!r}, which occurs in the training images: "
            "add one; 0 leaves these images out"
        )
    return np.array([shares[value] for value in values])


def draw_images(expected_N: npt.NDArray[np.float64], seed_2: tf.Tensor) -> tf.Tensor:
    """Returns the images of an epoch's windows, shuffled: indices, int64, as many as `expected_N` adds up to."""
    cumulated_N = np.cumsum(expected_N)
    cumulated_N[-1] = round(cumulated_N[-1])
    offset = tf.random.stateless_uniform([], seed_2, dtype=tf.float64)
    begin_N, end_N = (tf.floor(tf.constant(sums) + offset) for sums in (np.r_[0.0, cumulated_N[:-1]], cumulated_N))
    index_W = tf.repeat(tf.range(len(expected_N), dtype=tf.int64), tf.cast(end_N - begin_N, tf.int64))
    order = tf.random.stateless_uniform(tf.shape(index_W), tf.random.experimental.stateless_fold_in(seed_2, 1))
    return tf.gather(index_W, tf.argsort(order))
