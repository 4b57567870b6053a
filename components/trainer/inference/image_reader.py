"""How the served graph reads an image that somebody sends: checked first, then decoded to the network's pixels."""

from __future__ import annotations

from typing import Protocol

import tensorflow as tf

from common.band_image import DEPTHS, HEADER_BYTES, MAGIC, PLAIN
from common.decompression_bomb import REFUSED
from components.trainer.inference.damage import damage, undecodable
from components.trainer.inference.header import Looked, first_of, fit_to_decode, look_at, over_limit, unless
from components.trainer.inference.orientation import decode_upright, upright
from components.transform.bands import header_integers
from components.transform.image_ops import decode_image, to_bytes
from components.transform.pixel_source import PixelSource


class ImageReader(Protocol):
    """Reads encoded images in the graph."""

    def look(self, encoded: tf.Tensor, max_pixels: int) -> Looked:
        """Returns an image's size and the reason why it is rejected, without decoding it."""

    def decodes(self, encoded: tf.Tensor) -> tf.Tensor:
        """Decodes an accepted image, which fails in the graph if its pixels are damaged; returns `True`."""

    def undecodable(self, encoded: tf.Tensor) -> tf.Tensor:
        """Returns the reason for an image whose decoding failed."""

    def upright(self, encoded: tf.Tensor, size_2: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns an accepted image's bytes for the transform graph, as in records, and its upright size."""

    def decode(self, encoded: tf.Tensor) -> tf.Tensor:
        """Returns the upright pixels [H, W, C] of an accepted image, or of one in a record."""

    def one_pixel(self) -> tf.Tensor:
        """Returns the bytes of the smallest image, in the place of a rejected one."""


class RgbReader:
    """JPEG, PNG, BMP and GIF files."""

    def look(self, encoded: tf.Tensor, max_pixels: int) -> Looked:
        """Damage is reported before the header is read."""
        damaged = damage(encoded)
        return Looked(
            *tf.cond(
                damaged == "", lambda: look_at(encoded, max_pixels), lambda: Looked(tf.zeros([2], tf.int32), damaged)
            )
        )

    def decodes(self, encoded: tf.Tensor) -> tf.Tensor:
        """As `ImageReader.decodes`."""
        return tf.size(decode_image(fit_to_decode(encoded))) > 0

    def undecodable(self, encoded: tf.Tensor) -> tf.Tensor:
        """As `ImageReader.undecodable`."""
        return undecodable(encoded)

    def upright(self, encoded: tf.Tensor, size_2: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """As `ImageReader.upright`; the orientation is that of the Exif data."""
        return upright(fit_to_decode(encoded), size_2)

    def decode(self, encoded: tf.Tensor) -> tf.Tensor:
        """Returns uint8 [H, W, 3]."""
        return decode_upright(fit_to_decode(encoded))

    def one_pixel(self) -> tf.Tensor:
        """Returns a PNG."""
        return tf.io.encode_png(tf.zeros([1, 1, 3], tf.uint8))


class BandReader:
    """Images of bands in the layout of `common.band_image`, not compressed, so that their size is known."""

    def __init__(self, source: PixelSource) -> None:
        assert source.pixels.depth is not None
        self._bands, self._depth = source.pixels
        self._source = source

    def look(self, encoded: tf.Tensor, max_pixels: int) -> Looked:
        """As `ImageReader.look`."""
        starts = tf.equal(tf.strings.substr(encoded, 0, len(MAGIC) + 1), MAGIC + PLAIN)
        has_header = starts & (tf.strings.length(encoded) >= HEADER_BYTES)
        return Looked(
            *tf.cond(
                has_header,
                lambda: self._look_at_header(encoded, max_pixels),
                lambda: Looked(
                    tf.zeros([2], tf.int32),
                    tf.constant(
                        f"{REFUSED}it is not an image of {self._bands} bands, {self._depth}, as segpipe_client packs it"
                    ),
                ),
            )
        )

    def decodes(self, encoded: tf.Tensor) -> tf.Tensor:
        """As `ImageReader.decodes`."""
        return tf.size(self._source.decode(encoded)) > 0

    def undecodable(self, encoded: tf.Tensor) -> tf.Tensor:
        """As `ImageReader.undecodable`; there is nothing to decode that `look` has not checked."""
        del encoded
        return tf.constant(f"{REFUSED}its samples cannot be read")

    def upright(self, encoded: tf.Tensor, size_2: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns them as they are: there is no Exif data."""
        return encoded, size_2

    def decode(self, encoded: tf.Tensor) -> tf.Tensor:
        """Returns float32 [H, W, C] in 0…255."""
        return self._source.decode(encoded)

    def one_pixel(self) -> tf.Tensor:
        """Returns an image of zeros."""
        return encode_bands(tf.zeros([1, 1, self._bands], self._depth))

    def _look_at_header(self, encoded: tf.Tensor, max_pixels: int) -> Looked:
        header_4 = header_integers(encoded)
        depth, size_2, bands = header_4[0], header_4[1:3], header_4[3]
        pixels = tf.reduce_prod(tf.cast(size_2, tf.int64))
        expected = HEADER_BYTES + pixels * self._bands * tf.as_dtype(self._depth).size
        known = tf.gather(tf.constant([*DEPTHS, "another type"]), tf.clip_by_value(depth, 0, len(DEPTHS)))
        other = tf.strings.join(
            [f"it must have {self._bands} bands, {self._depth}, not ", tf.strings.as_string(bands), ", ", known]
        )
        is_mine = (depth == DEPTHS.index(self._depth)) & (bands == self._bands)
        refusals = [
            tf.where(is_mine, "", tf.strings.join([REFUSED, other])),
            unless(tf.reduce_all(size_2 > 0), "its header is broken"),
            over_limit(size_2, max_pixels, "height and width"),
            unless(
                tf.cast(tf.strings.length(encoded), tf.int64) == expected,
                "it has another number of bytes than its header says, as after an upload that broke off",
            ),
        ]
        return Looked(size_2, self._or_not_finite(encoded, first_of(refusals)))

    def _or_not_finite(self, encoded: tf.Tensor, refusal: tf.Tensor) -> tf.Tensor:
        """Returns the refusal, or one of samples that are no numbers."""
        if not tf.as_dtype(self._depth).is_floating:
            return refusal
        samples_N = lambda: tf.io.decode_raw(tf.strings.substr(encoded, HEADER_BYTES, -1), tf.float32)  # noqa: E731
        finite = tf.cond(
            refusal == "", lambda: tf.reduce_all(tf.math.is_finite(samples_N())), lambda: tf.constant(True)
        )
        return first_of([refusal, unless(finite, "it has samples that are not finite numbers")])


def encode_bands(image_HWC: tf.Tensor) -> tf.Tensor:
    """Returns the bytes of an image as requests hold it, as `common.band_image.pack_plain` does."""
    header_4 = tf.concat([[DEPTHS.index(image_HWC.dtype.name)], tf.shape(image_HWC)], axis=0)
    return tf.strings.join([tf.constant(MAGIC + PLAIN), to_bytes(header_4), to_bytes(image_HWC)])


def image_reader(source: PixelSource) -> ImageReader:
    """Returns the reader of the images that `source` decodes, with bands scaled as in training."""
    return RgbReader() if source.pixels.depth is None else BandReader(source)
