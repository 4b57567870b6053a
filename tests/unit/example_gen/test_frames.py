"""Files of several pages or frames: counted without decoding, set aside, or refused with a sentence."""

from __future__ import annotations

import random
import struct
import time
from dataclasses import replace

import numpy as np
import pytest

from components.example_gen.frames import check_single
from components.example_gen.gif import MAX_BLOCKS, frames_of
from components.example_gen.headers import open_image
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError
from components.example_gen.tiff import MAX_DIRECTORIES, TiffFile
from tests.support.data_set import DataSet, blocks, encode, photo
from tests.support.hostile_pictures import patched
from tests.support.image_files import (
    GifFrame,
    TiffPage,
    animated_png,
    gif_file,
    noise,
    png_file,
    tiff_file,
    webp_file,
)

LIMIT = 1_000_000
RGB, GREY = noise(0, 6, 8, 3), noise(1, 6, 8)
PALETTE = noise(2, 256, 3)
PAGE = TiffPage(GREY)
REDUCED, MASK = ((254, 4, (1,)),), ((254, 4, (4,)),)
OVERVIEW = replace(PAGE, samples=GREY[::2, ::2], tags=REDUCED)

SEVERAL = {
    "pages": (tiff_file([PAGE, PAGE]), "2 pages"),
    "big-endian pages": (tiff_file([PAGE] * 3, ">"), "3 pages"),
    "pages of a BigTIFF": (tiff_file([PAGE] * 3, big=True), "3 pages"),
    "a page that says that it is one": (tiff_file([PAGE, replace(PAGE, tags=((254, 4, (2,)),))]), "2 pages"),
    "a page among overviews": (tiff_file([PAGE, OVERVIEW, PAGE]), "2 pages"),
    "a page in a sub-directory": (tiff_file([replace(PAGE, children=(PAGE,))]), "2 pages"),
    "a thumbnail in front of the image": (tiff_file([replace(OVERVIEW, children=(PAGE,))]), "2 pages"),
    "a stack of ImageJ's": (
        tiff_file([replace(PAGE, tags=((270, 2, tuple(b"ImageJ=1.53k\nimages=7\nslices=7\n\0")),))]),
        "7 pages",
    ),
    "gif": (gif_file([GifFrame(GREY)] * 3, PALETTE), "3 frames"),
    "gif without its end": (gif_file([GifFrame(GREY)] * 2, PALETTE, trailer=b""), "2 frames"),
    "gif whose second frame is cut off": (gif_file([GifFrame(GREY)] * 2, PALETTE)[:-30], "2 frames"),
    "apng": (animated_png(RGB, 4), "4 frames"),
    "apng with a still image beside it": (animated_png(RGB, 1, still=True), "2 frames"),
    "apng that says more than it has": (animated_png(RGB, 1, claimed=70_000), "70000 frames"),
    "webp": (webp_file(RGB, frames=3), "3 frames"),
}
SINGLE = {
    "a page": tiff_file([PAGE]),
    "overviews": tiff_file([PAGE, OVERVIEW, OVERVIEW]),
    "overviews in sub-directories": tiff_file([replace(PAGE, children=(OVERVIEW,) * 5)]),
    "overviews of old": tiff_file([PAGE, replace(OVERVIEW, tags=((255, 3, (2,)),))]),
    "a transparency mask": tiff_file([PAGE, replace(PAGE, tags=MASK)]),
    "an overview alone": tiff_file([OVERVIEW]),
    "a TIFF that ends with its directory": tiff_file([PAGE])[:-4],
    "one image of ImageJ's": tiff_file([replace(PAGE, tags=((270, 2, tuple(b"ImageJ=1.53k\nimages=1\n\0")),))]),
    "a description": tiff_file([replace(PAGE, tags=((270, 2, tuple(b"images=7\n\0")),))]),
    "gif": gif_file([GifFrame(GREY, disposal=3)], PALETTE),
    "gif with much behind its end": gif_file([GifFrame(GREY)], PALETTE) + b"," * 1000,
    "apng of one frame": animated_png(RGB, 1),
    "apng of no frame": animated_png(RGB, 1, claimed=0),
    "png": png_file(RGB),
    "webp": webp_file(RGB),
    "jpeg with another behind it": encode(photo(), "MPO", save_all=True, append_images=[photo(seed=2)]),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_a_file_of_several_images_is_set_aside_with_their_number(kind: str) -> None:
    data, number = SEVERAL[kind]
    with pytest.raises(RejectionError) as caught:
        open_image(data, LIMIT)
    assert caught.value.reason is Reason.SEVERAL_IMAGES
    assert caught.value.detail == f"holds {number}; only one can be used"
    assert caught.value.cause
    assert caught.value.remedy


@pytest.mark.parametrize("kind", SINGLE)
def test_a_file_of_one_image_is_read_whatever_goes_with_it(kind: str) -> None:
    open_image(SINGLE[kind], LIMIT)


def test_images_and_masks_of_several_pages_are_quarantined(data_set: DataSet) -> None:
    two = TiffPage(blocks(32, 24).astype(np.uint16))
    data_set.add("mask", mask=tiff_file([two, two]))
    data_set.add("image", image=gif_file([GifFrame(GREY)] * 2, PALETTE))
    data_set.add("good", mask=tiff_file([two]))
    data_set.add("fine")
    summary, quarantined = data_set.survey()
    assert {entry.id: entry.reason for entry in quarantined} == dict.fromkeys(["mask", "image"], Reason.SEVERAL_IMAGES)
    assert {entry.detail for entry in quarantined} == {
        "mask: holds 2 pages; only one can be used",
        "image: holds 2 frames; only one can be used",
    }
    assert sum(summary.used.values()) == 2


def circle() -> bytes:
    data = bytearray(tiff_file([PAGE, PAGE]))
    first = data[4:8]
    data[-4:] = first  # What follows the last page is the first one.
    return bytes(data)


def beyond_the_end() -> bytes:
    return tiff_file([PAGE])[:-4] + struct.pack("<I", 1 << 30)


@pytest.mark.parametrize(("data", "words"), [(circle(), "has a cycle"), (beyond_the_end(), "damaged or cut off")])
def test_a_damaged_list_of_pages_is_named(data: bytes, words: str) -> None:
    with pytest.raises(RejectionError) as caught:
        open_image(data, LIMIT)
    assert caught.value.reason is Reason.UNREADABLE
    assert words in caught.value.detail


@pytest.mark.parametrize("kind", [*SEVERAL, *SINGLE])
def test_damaged_lists_are_read_or_refused_but_never_an_error(kind: str) -> None:
    data = SEVERAL[kind][0] if kind in SEVERAL else SINGLE[kind]
    dice = random.Random(kind)
    for _ in range(60):
        damaged = bytearray(data[: dice.choice([len(data), dice.randrange(1, len(data))])])
        for _ in range(dice.randint(0, 6)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        try:
            open_image(bytes(damaged), LIMIT)
        except RejectionError:
            continue


def quickly(data: bytes, kind: str) -> str:
    before = time.process_time()
    with pytest.raises(RejectionError) as caught:
        check_single(data, kind)
    assert time.process_time() - before < 5
    return caught.value.detail


def test_countless_frames_are_counted_quickly_or_given_up() -> None:
    frame = gif_file([GifFrame(noise(0, 1, 1, levels=2))], PALETTE[:2])
    start, end = frames_of(frame).start, frames_of(frame).end
    assert quickly(frame[:start] + frame[start:end] * 100_000, "gif") == "holds 100000 frames; only one can be used"
    assert "more than" in quickly(frame[:start] + b"!\xfe" + b"\1x" * (MAX_BLOCKS + 1), "gif")
    many = TiffPage(noise(0, 1, 1))
    assert "at least 1000 pages" in quickly(tiff_file([many] * (MAX_DIRECTORIES + 5)), "tiff")
    animation = webp_file(RGB, frames=2)
    at = animation.index(b"ANMF")
    assert quickly(animation[:at] + (b"ANMF" + bytes(4)) * 200_000, "webp").startswith("holds 200000 frames")


def test_directories_that_lie_over_each_other_take_no_time() -> None:
    entries = 65_535
    data = tiff_file([replace(PAGE, tags=((330, 4, tuple(range(8, 1008))),))])
    data += struct.pack("<H", entries) * (6 * entries + 1000)
    before = time.process_time()
    with pytest.raises(RejectionError):
        check_single(data, "tiff")
    assert time.process_time() - before < 5


def test_orientation_of_a_tiff_is_a_short_alone_in_its_first_directory() -> None:
    def told(*tag: tuple[int, int, tuple[int, ...]], order: str = "<", big: bool = False) -> int:
        return TiffFile(tiff_file([replace(PAGE, tags=tag)], order, big)).orientation()

    for value in range(1, 9):
        assert told((0x0112, 3, (value,))) == told((0x0112, 3, (value,)), order=">") == value
        assert told((0x0112, 3, (value,)), big=True) == value
    assert told() == told((0x0112, 4, (6,))) == told((0x0112, 3, (6, 6))) == told((0x0112, 3, (9,))) == 1


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])
def test_of_16_bit_greys_where_white_is_0_what_a_viewer_shows_is_read(order: str, big: bool) -> None:
    samples = noise(3, 6, 8, levels=1 << 16)
    image = open_image(tiff_file([TiffPage(samples, 16, photometric=0)], order, big), LIMIT).decode()
    np.testing.assert_array_equal(np.asarray(image), 65535 - samples)


def test_a_big_endian_bigtiff_is_refused_by_name() -> None:
    with pytest.raises(RejectionError) as caught:
        open_image(tiff_file([PAGE], ">", big=True), LIMIT)
    assert caught.value.reason is Reason.UNSUPPORTED_FORMAT
    assert "big-endian BigTIFF" in caught.value.detail


def test_a_gif_over_the_limit_is_refused_for_its_screen() -> None:
    with pytest.raises(RejectionError) as caught:
        open_image(patched(gif_file([GifFrame(GREY)], PALETTE), 6, "<HH", 60_000, 60_000), LIMIT)
    assert caught.value.reason is Reason.TOO_LARGE
