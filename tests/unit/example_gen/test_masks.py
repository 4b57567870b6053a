from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common.records import VOID
from components.example_gen.config import ColourLabels, IndexLabels, Labels, ThresholdLabels, ValueLabels
from components.example_gen.images import canonical_image
from components.example_gen.label_map import label_map
from components.example_gen.masks import CanonicalMask, canonical_mask
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError
from tests.support.data_set import CLASSES, blocks, encode, photo, raw_png
from tests.support.mask_files import palette_image, raw_tiff

LIMIT = 1_000_000
COLOURS = ColourLabels(classes={"#000000": "background", "#ff0000": "thing", "#00ff00": "other"}, void=("#ffffff",))
RGB = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [255, 255, 255]], np.uint8)


def take(
    mask: bytes | np.ndarray | Image.Image, labels: Labels | None = None, image: bytes | None = None, **settings: Any
) -> CanonicalMask:
    data = mask if isinstance(mask, bytes) else encode(mask)
    labels = labels or IndexLabels()
    names = CLASSES[:2] if isinstance(labels, ThresholdLabels) else CLASSES
    picture = canonical_image(image or encode(photo(32, 24)), LIMIT)
    taken = canonical_mask(data, picture, label_map(labels, names), LIMIT, settings.get("aspect", 0.01))
    decoded = tf.io.decode_png(taken.encoded, channels=0).numpy()
    assert decoded.shape == (*taken.mask_HW.shape, 1)
    np.testing.assert_array_equal(decoded[..., 0], taken.mask_HW)
    assert taken.mask_HW.shape == picture.image_HWC.shape[:2]
    return taken


def refusal(*arguments: Any, **settings: Any) -> RejectionError:
    with pytest.raises(RejectionError) as caught:
        take(*arguments, **settings)
    return caught.value


def turned_image(orientation: int, width: int = 32, height: int = 24) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(photo(width, height), "JPEG", exif=exif)


def test_a_mask_that_is_canonical_keeps_its_bytes() -> None:
    data = encode(blocks(values=(0, 1, 2, 255)))
    assert take(data).encoded is data


def test_a_grey_mask_with_transparent_values_is_read_by_value() -> None:
    data = encode(Image.fromarray(blocks()), transparency=1)
    np.testing.assert_array_equal(take(data).mask_HW, blocks())


@pytest.mark.parametrize("values", [(0, 1), (0, 255)])
def test_binary_masks_of_0_1_and_of_0_255_can_be_mixed(values: tuple[int, int]) -> None:
    labels = ValueLabels(classes={0: "background", 1: "thing", 255: "thing"})
    np.testing.assert_array_equal(take(blocks(values=values), labels).mask_HW, blocks(values=(0, 1)))


@pytest.mark.parametrize("labels", [IndexLabels(), ThresholdLabels()])
def test_a_1_bit_mask_is_0_and_1_by_value_and_black_and_white_by_grey(labels: Labels) -> None:
    mask = Image.fromarray(blocks(values=(0, 255))).convert("1")
    np.testing.assert_array_equal(take(mask, labels).mask_HW, blocks(values=(0, 1)))


def test_an_anti_aliased_mask_without_a_255_is_cut_at_the_threshold() -> None:
    grey = np.tile(np.linspace(0, 237, 32).astype(np.uint8), (24, 1))
    taken = take(grey, ThresholdLabels(at=128))
    np.testing.assert_array_equal(taken.mask_HW, (grey >= 128).astype(np.uint8))


def test_an_anti_aliased_mask_read_by_index_is_refused_with_its_values() -> None:
    refused = refusal(np.tile(np.arange(32, dtype=np.uint8) * 7, (24, 1)))
    assert refused.reason is Reason.UNKNOWN_LABEL
    assert "7 (24 pixels)" in refused.detail


def test_a_mask_of_ones_under_a_threshold_is_refused_rather_than_lost() -> None:
    assert refusal(blocks(values=(0, 1)), ThresholdLabels()).reason is Reason.UNKNOWN_LABEL


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_masks_are_read_by_index(bits: int) -> None:
    mask = Image.fromarray(blocks(values=(0, 1)), "P")
    mask.putpalette([200, 10, 10, 10, 10, 200])
    np.testing.assert_array_equal(take(encode(mask, bits=bits)).mask_HW, blocks(values=(0, 1)))


def test_palette_masks_are_read_by_colour_where_labels_are_colours() -> None:
    mask = Image.fromarray(blocks(values=(2, 0, 1)), "P")
    mask.putpalette([0, 255, 0, 0, 0, 0, 255, 0, 0])
    np.testing.assert_array_equal(take(mask, COLOURS).mask_HW, blocks(values=(1, 2, 0)))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_masks_of_few_bits_are_read_as_stored(bits: int) -> None:
    mask = blocks(values=(0, 1) if bits == 1 else (0, 1, 2))
    bit_rows = (mask[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    data = raw_png(32, 24, [row.tobytes() for row in np.packbits(bit_rows.reshape(24, -1), axis=1)], bits)
    np.testing.assert_array_equal(take(data).mask_HW, mask)


@pytest.mark.parametrize("alpha", [False, True])
def test_colour_masks_are_read_by_colour_whatever_their_alpha(alpha: bool) -> None:
    rgb = RGB[blocks(values=(0, 1, 2, 3))]
    mask = Image.fromarray(rgb)
    if alpha:
        mask.putalpha(Image.fromarray(blocks(values=(40, 90, 255))))
    np.testing.assert_array_equal(take(mask, COLOURS).mask_HW, blocks(values=(0, 1, 2, VOID)))


def test_grey_values_spread_over_three_channels_are_read_by_value() -> None:
    np.testing.assert_array_equal(take(np.dstack([blocks()] * 3)).mask_HW, blocks())


def test_a_coloured_mask_read_by_value_is_refused_with_a_colour() -> None:
    refused = refusal(RGB[blocks(values=(0, 1))])
    assert refused.reason is Reason.UNKNOWN_LABEL
    assert "384 pixels, such as #ff0000" in refused.detail


SHAPE = blocks(values=(0, 1))
FLAT = np.zeros_like(SHAPE)
DEFAULT, THRESHOLD = IndexLabels(), ThresholdLabels()


def layers(*channels: np.ndarray) -> np.ndarray:
    return np.dstack([channel.astype(np.uint8) for channel in channels])


@pytest.mark.parametrize(
    ("mask", "labels", "where"),
    [
        pytest.param(layers(FLAT, FLAT, FLAT, SHAPE * 255), DEFAULT, "alpha channel", id="black, index"),
        pytest.param(layers(FLAT, FLAT, FLAT, SHAPE * 255), THRESHOLD, "alpha channel", id="black, threshold"),
        pytest.param(layers(FLAT, FLAT, FLAT, SHAPE * 255), COLOURS, "alpha channel", id="black, colours"),
        pytest.param(layers(FLAT, FLAT, FLAT, SHAPE * 90 + 90), THRESHOLD, "alpha from 90 to 180", id="half opaque"),
        pytest.param(
            Image.merge("LA", [Image.fromarray(FLAT), Image.fromarray(SHAPE * 255)]), DEFAULT, "alpha", id="LA"
        ),
        pytest.param(layers(SHAPE, SHAPE, SHAPE, FLAT), DEFAULT, "every pixel of the mask is transparent", id="hidden"),
        pytest.param(
            layers(*[255 - SHAPE * 255] * 3, SHAPE * 255),
            THRESHOLD,
            "transparent pixels of the mask are white",
            id="white",
        ),
        pytest.param(
            layers(FLAT, FLAT, SHAPE * 255),
            THRESHOLD,
            "colours (#000000, #0000ff) whose greys are all below",
            id="blue",
        ),
        pytest.param(layers(SHAPE * 255, FLAT, FLAT), THRESHOLD, "(#000000, #ff0000)", id="red"),
        pytest.param(SHAPE * 100, THRESHOLD, "several values, from 0 to 100, all below", id="dark"),
        pytest.param(SHAPE * 50 + 200, THRESHOLD, "several values, from 200 to 250, all at or above", id="bright"),
    ],
)
def test_a_shape_that_is_not_where_the_labels_look_is_refused(mask: Any, labels: Labels, where: str) -> None:
    refused = refusal(mask, labels)
    assert refused.reason is Reason.HIDDEN_SHAPE
    assert where in refused.detail
    assert refused.cause and refused.remedy


@pytest.mark.parametrize("labels", [DEFAULT, THRESHOLD, COLOURS])
def test_a_mask_without_a_shape_may_be_transparent(labels: Labels) -> None:
    assert not take(layers(FLAT, FLAT, FLAT, FLAT), labels).mask_HW.any()


def test_what_is_drawn_on_a_transparent_layer_is_read_by_its_colour() -> None:
    mask = layers(SHAPE * 255, FLAT, FLAT, SHAPE * 255)
    np.testing.assert_array_equal(take(mask, COLOURS).mask_HW, SHAPE)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("order", [1, -1])
def test_a_palette_of_greys_means_the_grey_values(kind: str, order: int) -> None:
    mask = palette_image(SHAPE, [(0, 0, 0), (255, 255, 255), (9, 9, 9)][: 2 if kind == "GIF" else 3])
    if order < 0:
        mask = palette_image(1 - SHAPE, [(255, 255, 255), (0, 0, 0), (9, 9, 9)])
    labels = ValueLabels(classes={0: "background", 255: "thing"})
    taken = take(encode(mask, kind), labels)
    np.testing.assert_array_equal(taken.mask_HW, SHAPE)
    assert taken.labelled.named == {"0": 384, "255": 384}


def test_a_black_palette_says_nothing_so_that_the_index_is_the_value() -> None:
    np.testing.assert_array_equal(take(encode(Image.fromarray(SHAPE, "P"), "GIF")).mask_HW, SHAPE)


def test_indices_with_one_grey_are_refused() -> None:
    refused = refusal(palette_image(SHAPE, [(7, 7, 7)] * 2))
    assert refused.reason is Reason.HIDDEN_SHAPE
    assert refusal(palette_image(SHAPE, [(7, 7, 7)] * 2), THRESHOLD).reason is Reason.HIDDEN_SHAPE


def test_the_colours_of_a_palette_are_kept_for_the_comparison_with_others() -> None:
    palette = take(palette_image(SHAPE, [(0, 0, 0), (200, 0, 0), (0, 9, 0)])).palette
    assert palette is not None
    assert palette.coloured
    assert palette.colours == {0: 0x000000, 1: 0xC80000}


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_tiff_that_counts_from_white_gives_what_a_viewer_shows(bits: int) -> None:
    stored = (1 << bits) - 1 - SHAPE.astype(np.uint16)
    np.testing.assert_array_equal(take(raw_tiff(stored, bits, photometric=0)).mask_HW, SHAPE)


def test_negative_values_of_a_tiff_are_read_as_such() -> None:
    labels = ValueLabels(classes={0: "background", 1: "thing"}, void=(-1,))
    signed = blocks(values=(0, 1, 2)).astype(np.int8)
    signed[signed == 2] = -1
    for bits in (8, 16, 32):
        taken = take(raw_tiff(signed, bits, sample_format=2), labels)
        np.testing.assert_array_equal(taken.mask_HW, blocks(values=(0, 1, VOID)))


@pytest.mark.parametrize("white", [255, 1023, 4095, 16_383, 65_535])
def test_a_threshold_is_applied_in_the_range_of_the_file(white: int) -> None:
    np.testing.assert_array_equal(take(SHAPE.astype(np.uint16) * white, THRESHOLD).mask_HW, SHAPE)
    for kind in (np.int32, np.float32):
        wide = Image.fromarray(SHAPE.astype(kind) * kind(white))
        np.testing.assert_array_equal(take(encode(wide, "TIFF"), THRESHOLD).mask_HW, SHAPE)


def test_floats_of_0_and_1_are_black_and_white() -> None:
    shares = Image.fromarray(SHAPE.astype(np.float32))
    np.testing.assert_array_equal(take(encode(shares, "TIFF"), THRESHOLD).mask_HW, SHAPE)


@pytest.mark.parametrize("high", [237, 3000, 12_000])
def test_a_16_bit_mask_whose_white_is_not_known_is_refused(high: int) -> None:
    refused = refusal(SHAPE.astype(np.uint16) * high, THRESHOLD)
    assert f"range is not known: its greatest value is {high}" in refused.detail
    np.testing.assert_array_equal(take(SHAPE.astype(np.uint16) * high, ThresholdLabels(at=1)).mask_HW, SHAPE)


def test_16_bit_greys_are_colours_only_where_8_bits_say_the_same() -> None:
    wide = np.array([0, 65_535], np.uint16)[SHAPE]
    np.testing.assert_array_equal(take(wide, COLOURS).mask_HW, blocks(values=(0, VOID)))
    assert "use labels of type values" in refusal(np.array([0, 255], np.uint16)[SHAPE], COLOURS).detail


def test_a_jpeg_is_refused_where_exact_values_are_wanted() -> None:
    refused = refusal(encode(SHAPE, "JPEG"))
    assert refused.reason is Reason.UNSUPPORTED_FORMAT
    assert "compression (jpeg) changes values" in refused.detail
    np.testing.assert_array_equal(take(encode(SHAPE * 255, "JPEG"), THRESHOLD).mask_HW, SHAPE)


def test_the_line_for_an_unknown_value_can_be_pasted() -> None:
    refused = refusal(blocks(values=(0, 1, 11)))
    assert refused.cause == "the mask holds the value 11, which no label names"
    assert refused.remedy == "data.labels.void: [11, 255], or one more class"
    assert refused.values == {"11": 240}


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_masks_are_read_by_value(kind: str) -> None:
    labels = ValueLabels(classes={0: "background", 1000: "thing", 65_535: "other"})
    wide = np.array([0, 1000, 65_535], np.uint16)[blocks()]
    np.testing.assert_array_equal(take(encode(wide, kind), labels).mask_HW, blocks())


def test_16_bit_grey_masks_are_cut_at_their_high_byte() -> None:
    wide = np.array([0, 128 << 8], np.uint16)[blocks(values=(0, 1))]
    np.testing.assert_array_equal(take(wide, ThresholdLabels()).mask_HW, blocks(values=(0, 1)))


@pytest.mark.parametrize(("kind", "mode"), [("TIFF", "I"), ("TIFF", "F"), ("GIF", "L"), ("BMP", "L"), ("TIFF", "P")])
def test_masks_in_other_formats_are_taken(kind: str, mode: str) -> None:
    image = Image.fromarray(blocks(), "P") if mode == "P" else Image.fromarray(blocks()).convert(mode)
    if mode == "P":
        image.putpalette([0, 0, 0, 9, 9, 200, 3, 4, 5])
    np.testing.assert_array_equal(take(encode(image, kind)).mask_HW, blocks())


def test_trimaps_count_from_one() -> None:
    np.testing.assert_array_equal(take(blocks(values=(1, 2, 3)), IndexLabels(offset=1)).mask_HW, blocks())


def test_a_void_label_does_not_count_and_zero_may_be_a_class() -> None:
    taken = take(blocks(values=(0, 1, 11)), IndexLabels(void=(11,)))
    np.testing.assert_array_equal(taken.mask_HW, blocks(values=(0, 1, VOID)))


def test_unknown_values_become_void_if_so_asked() -> None:
    taken = take(blocks(values=(0, 1, 99)), IndexLabels(unknown="void"))
    np.testing.assert_array_equal(taken.mask_HW, blocks(values=(0, 1, VOID)))


def test_a_mask_that_is_all_background_is_taken() -> None:
    assert not take(blocks(values=(0,))).mask_HW.any()


def test_a_mask_that_is_all_void_is_refused() -> None:
    assert refusal(blocks(values=(255,))).reason is Reason.ALL_VOID


@pytest.mark.parametrize("size", [(16, 12), (64, 48), (320, 241)])
def test_a_mask_of_another_size_and_the_same_aspect_is_brought_to_the_images_size(size: tuple[int, int]) -> None:
    taken = take(blocks(*size, values=(0, 1, 2, 255)))
    np.testing.assert_array_equal(taken.mask_HW, blocks(values=(0, 1, 2, 255)))


@pytest.mark.parametrize("size", [(24, 32), (32, 32), (33, 24)])
def test_a_mask_of_another_aspect_is_refused_with_both_sizes(size: tuple[int, int]) -> None:
    refused = refusal(blocks(*size))
    assert refused.reason is Reason.SIZE_MISMATCH
    assert f"the mask has {size[0]}×{size[1]} pixels, the image 32×24" in refused.detail


def test_how_much_aspects_may_differ_is_settable() -> None:
    assert take(blocks(33, 24), aspect=0.05).mask_HW.shape == (24, 32)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_drawn_on_the_upright_picture_stays_and_one_drawn_on_stored_pixels_is_turned(orientation: int) -> None:
    image = turned_image(orientation)
    upright = blocks(24, 32, values=(0, 1, 2))
    np.testing.assert_array_equal(take(upright, image=image).mask_HW, upright)
    stored = np.arange(32 * 24).reshape(24, 32) % 3
    exif = Image.Exif()
    exif[0x0112] = orientation
    expected = canonical_image(encode(stored.astype(np.uint8), exif=exif), LIMIT).image_HWC[..., 0]
    np.testing.assert_array_equal(take(stored.astype(np.uint8), image=image).mask_HW, expected)


def test_where_both_fit_the_mask_counts_as_upright() -> None:
    half_turn = blocks(32, 24)
    np.testing.assert_array_equal(take(half_turn, image=turned_image(3)).mask_HW, half_turn)
    square = blocks(24, 24)
    np.testing.assert_array_equal(take(square, image=turned_image(6, 24, 24)).mask_HW, square)


def test_a_mask_with_an_exif_turn_of_its_own_is_made_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = blocks(32, 24)
    taken = take(encode(stored, exif=exif), image=turned_image(6))
    np.testing.assert_array_equal(taken.mask_HW, np.rot90(stored, -1))


def test_a_truncated_mask_is_unreadable() -> None:
    data = encode(np.random.default_rng(0).integers(0, 3, (24, 32), dtype=np.uint8))
    assert refusal(data[: len(data) // 2]).reason is Reason.UNREADABLE


def test_a_mask_over_the_limit_is_refused_by_its_header() -> None:
    assert refusal(encode(np.zeros((1000, 2000), np.uint8))).reason is Reason.TOO_LARGE


def test_a_1_bit_bmp_has_a_palette_and_so_the_greys_0_and_255() -> None:
    data = encode(Image.fromarray(SHAPE * 255).convert("1"), "BMP")
    labels = ValueLabels(classes={0: "background", 255: "thing"})
    np.testing.assert_array_equal(take(data, labels).mask_HW, SHAPE)
    np.testing.assert_array_equal(take(data, THRESHOLD).mask_HW, SHAPE)


@pytest.mark.parametrize("labels", [DEFAULT, THRESHOLD, COLOURS])
def test_16_bits_a_channel_are_refused(labels: Labels) -> None:
    rows = np.repeat(np.repeat(SHAPE[..., None], 3, -1).astype(">u2"), 1, -1)
    refused = refusal(raw_png(32, 24, [row.tobytes() for row in rows], 16, colour=2), labels)
    assert refused.reason is Reason.UNSUPPORTED_FORMAT
    assert "16 bits a channel" in refused.detail


@pytest.mark.parametrize("labels", [DEFAULT, COLOURS])
def test_cmyk_has_no_exact_values(labels: Labels) -> None:
    data = encode(Image.fromarray(SHAPE * 255).convert("CMYK"), "TIFF")
    assert "CMYK" in refusal(data, labels).detail
    np.testing.assert_array_equal(take(data, THRESHOLD).mask_HW, SHAPE)


def test_lab_is_refused() -> None:
    data = encode(Image.merge("LAB", [Image.fromarray(SHAPE)] * 3), "TIFF")
    for labels in (DEFAULT, COLOURS, THRESHOLD):
        assert refusal(data, labels).reason is Reason.UNSUPPORTED_FORMAT


def test_a_bmp_of_8_bits_with_two_greys_is_refused_rather_than_misread() -> None:
    data = encode(palette_image(SHAPE, [(0, 0, 0), (255, 255, 255)]), "BMP")
    assert refusal(data).reason is Reason.UNSUPPORTED_FORMAT


def test_an_index_without_a_colour_is_a_value_but_no_colour() -> None:
    data = encode(Image.fromarray(SHAPE, "P"))
    np.testing.assert_array_equal(take(data).mask_HW, SHAPE)
    assert "index 1, but its palette has 1 colours" in refusal(data, COLOURS).detail
