"""GIFs, of which the first frame counts."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from components.trainer.inference.gif import first_frame_alone, image_size
from tests.support.hostile_pictures import behind_a_false_frame, first_frame
from tests.support.image_files import GifFrame, gif_file, gif_image, noise

ENCODED = [tf.TensorSpec([], tf.string)]
size_of = tf.function(image_size, input_signature=ENCODED)
cut = tf.function(first_frame_alone, input_signature=ENCODED)
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, [50, 90, 3]).astype(np.uint8))


def gif(image: Image.Image = NOISE, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "GIF", **options)  # type: ignore[arg-type]
    return out.getvalue()


def decoded(encoded: bytes) -> np.ndarray:
    return tf.io.decode_image(encoded, channels=3, expand_animations=False).numpy()


ANIMATED = gif(save_all=True, append_images=[NOISE.rotate(180)] * 3, duration=100, loop=0, comment=b"x" * 700)


@pytest.mark.parametrize("encoded", [gif(), gif(interlace=0), gif(NOISE.convert("L")), ANIMATED])
def test_the_first_frame_alone_is_the_same_picture(encoded: bytes) -> None:
    alone = cut(tf.constant(encoded)).numpy()
    np.testing.assert_array_equal(decoded(alone), decoded(encoded))
    assert size_of(tf.constant(encoded)).numpy().tolist() == [50, 90]
    assert Image.open(io.BytesIO(alone)).n_frames == 1


def test_later_frames_are_gone() -> None:
    assert len(cut(tf.constant(ANIMATED)).numpy()) < 0.6 * len(ANIMATED)


def test_a_frame_that_is_larger_than_the_screen_is_seen_to_be() -> None:
    small_screen = bytearray(gif())
    small_screen[6:10] = b"\x01\0\x01\0"
    assert size_of(tf.constant(bytes(small_screen))).numpy().tolist() == [50, 90]
    assert decoded(cut(tf.constant(bytes(small_screen))).numpy()).shape == (50, 90, 3)


@pytest.mark.parametrize("screen", [(13, 9), (40, 30), (1, 1), (20, 3)])
@pytest.mark.parametrize(("left", "top"), [(0, 0), (5, 2), (3, 0)])
def test_a_frame_stands_at_its_place_on_the_screen(screen: tuple[int, int], left: int, top: int) -> None:
    palette = noise(1, 8, 3)
    frame = GifFrame(noise(2, 9, 13, levels=8), left, top, transparent=3, interlaced=True)
    encoded = gif_file([frame, frame], palette, screen, comment=b"x" * 600)
    shown = gif_image(frame, palette, screen)
    np.testing.assert_array_equal(decoded(cut(tf.constant(encoded)).numpy()), shown)
    assert tuple(size_of(tf.constant(encoded)).numpy()) == shown.shape[:2]


def test_a_screen_is_not_allocated_before_its_size_is_known() -> None:
    encoded = gif_file([GifFrame(noise(2, 9, 13, levels=8))], noise(1, 8, 3), (65_535, 65_535))
    assert size_of(tf.constant(encoded)).numpy().tolist() == [65_535, 65_535]


def test_a_file_without_a_frame_has_no_size() -> None:
    for broken in (b"", b"GIF89a", gif()[:20], gif()[:13] + b"!" * 5000):
        assert size_of(tf.constant(broken)).numpy().tolist() == [0, 0]


@pytest.mark.parametrize("blocks", range(990, 1003))
def test_what_an_endless_extension_says_is_no_frame(blocks: int) -> None:
    start = first_frame(ANIMATED)
    encoded = ANIMATED[:start] + behind_a_false_frame(blocks) + ANIMATED[start:]
    assert size_of(tf.constant(encoded)).numpy().tolist() in ([0, 0], [50, 90])


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_bytes_do_no_harm(data: st.DataObject) -> None:
    encoded = bytearray(ANIMATED[: data.draw(st.integers(0, 2000))])
    for _ in range(3 if encoded else 0):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        height, width = size_of(tf.constant(bytes(encoded))).numpy()
        if 0 < height * width < 1_000_000:  # Larger ones are refused.
            cut(tf.constant(bytes(encoded)))
    except tf.errors.InvalidArgumentError:
        return
