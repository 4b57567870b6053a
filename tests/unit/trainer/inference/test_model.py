"""The exported model in each of its ways to answer."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from common import records
from components.evaluator.counts import confusion_counts
from components.trainer.inference.config import InferenceConfig
from components.trainer.inference.tiling import decide_in_tiles
from components.trainer.predictions import probabilities_BHWC
from components.transform.image_ops import letterbox, resize_image
from tests.support.transformed import NUM_CLASSES, Transformed, make_pair, png

WAYS = {
    "resize": {"mode": "resize", "saved": True},
    "resize_flips": {"mode": "resize", "flips": "both"},
    "tile": {"mode": "tile", "batch": 3, "saved": True},
    "tile_flips_scaled": {"mode": "tile", "flips": "horizontal", "scale": 0.7, "overlap": 0.5},
}
every_way = pytest.mark.parametrize("way", WAYS, scope="module")
"""The scope lets pytest run the tests of one way together, so that few models are held at a time."""
RGB = np.random.default_rng(5).integers(0, 256, [45, 70, 3]).astype(np.uint8)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def kinds() -> dict[str, bytes]:
    """The same noise in every kind of file that an app may send."""
    image = Image.fromarray(RGB)
    red = [Image.new("RGB", image.size, "red")]
    deep = tf.constant(RGB, tf.uint16) * 257
    return {
        "png": encode(image, "PNG"),
        "png_palette": encode(image.quantize(16), "PNG"),
        "png_grey": encode(image.convert("L"), "PNG"),
        "png_1_bit": encode(image.convert("1"), "PNG"),
        "png_grey_alpha": encode(image.convert("LA"), "PNG"),
        "png_rgba": encode(image.convert("RGBA"), "PNG"),
        "png_16_bit": tf.io.encode_png(deep).numpy(),
        "png_16_bit_grey": tf.io.encode_png(deep[..., :1]).numpy(),
        "jpeg": encode(image, "JPEG"),
        "jpeg_grey": encode(image.convert("L"), "JPEG"),
        "jpeg_cmyk": encode(image.convert("CMYK"), "JPEG"),
        "jpeg_progressive": encode(image, "JPEG", progressive=True),
        "gif": encode(image, "GIF"),
        "gif_animated": encode(image, "GIF", save_all=True, append_images=red),
        "bmp": encode(image, "BMP"),
    }


def mask_of(answer: dict[str, np.ndarray], index: int = 0) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(answer["mask_bytes"][index])))


def as_example(pair: dict[str, bytes]) -> bytes:
    feature = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for name, value in pair.items()}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


@every_way
def test_each_kind_of_file_gets_a_mask_of_its_size(exported, way: str) -> None:  # type: ignore[no-untyped-def]
    files = kinds()
    answer = exported(**WAYS[way]).serve(*files.values())
    for index, kind in enumerate(files):
        mask_HW = mask_of(answer, index)
        assert mask_HW.shape == (45, 70), kind
        shares = np.bincount(mask_HW.ravel(), minlength=NUM_CLASSES) / mask_HW.size
        np.testing.assert_allclose(answer["class_fractions"][index], shares, atol=1e-6)
        assert 1 / NUM_CLASSES <= answer["mean_confidence"][index] <= 1
    same = [answer["mask_bytes"][list(files).index(kind)] for kind in ("png", "png_rgba", "png_16_bit", "bmp")]
    assert len(set(same)) == 1


@every_way
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_turned_photograph_is_answered_as_it_is_seen(exported, way: str, kind: str) -> None:  # type: ignore[no-untyped-def]
    model = exported(**WAYS[way])
    for value in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = value
        turned = encode(Image.fromarray(RGB), kind, exif=exif)
        pixels = tf.io.decode_image(turned, channels=3).numpy()
        marked = Image.fromarray(pixels)
        marked.getexif()[0x0112] = value
        upright = png(np.asarray(ImageOps.exif_transpose(marked)))
        answer = model.serve(turned, upright)
        assert mask_of(answer).shape == ((70, 45) if value >= 5 else (45, 70))
        np.testing.assert_array_equal(mask_of(answer), mask_of(answer, 1))


@every_way
def test_pictures_of_several_sizes_in_a_request_are_answered_as_one_by_one(exported, way: str) -> None:  # type: ignore[no-untyped-def]
    model = exported(**WAYS[way])
    pictures = [make_pair(i, 30 + 25 * i, 90 - 10 * i)[records.IMAGE_ENCODED] for i in range(3)]
    together = model.serve(*pictures)
    for index, picture in enumerate(pictures):
        alone = model.serve(picture)
        np.testing.assert_array_equal(mask_of(together, index), mask_of(alone))
        assert together["mean_confidence"][index] == pytest.approx(alone["mean_confidence"][0], rel=1e-4)


def test_a_large_picture_goes_through_the_trained_network_tile_by_tile(exported) -> None:  # type: ignore[no-untyped-def]
    model = exported(**WAYS["tile"])

    def network(image_BHWC: tf.Tensor) -> tf.Tensor:
        return probabilities_BHWC(model.network(tf.cast(image_BHWC, tf.float32), training=False))

    decided = decide_in_tiles(tf.constant(RGB), network, (32, 32), NUM_CLASSES, InferenceConfig(mode="tile"))
    answer = model.serve(png(RGB))
    np.testing.assert_array_equal(mask_of(answer), decided.class_HW)
    assert answer["mean_confidence"][0] == pytest.approx(float(decided.mean_confidence), rel=1e-4)


@pytest.mark.parametrize(
    ("data", "way"),
    [
        ("transformed", "resize"),
        ("transformed", "resize_flips"),
        ("transformed", "tile"),
        ("transformed", "tile_flips_scaled"),
        pytest.param("letterboxed", "resize", marks=pytest.mark.slow),
        pytest.param("by_picture", "resize", marks=pytest.mark.slow),
        ("cropped", "tile"),
        ("cropped", "tile_flips_scaled"),
    ],
    scope="module",
)
def test_a_model_is_judged_by_the_masks_that_it_serves(  # type: ignore[no-untyped-def]
    exported, request: pytest.FixtureRequest, data: str, way: str
) -> None:
    of: Transformed = request.getfixturevalue(data)
    model = exported(of, **WAYS[way])
    pairs = [*of.pairs[:2], make_pair(7, 60, 41)]
    examples = tf.constant([as_example(pair) for pair in pairs])
    confusion = model.signatures["evaluate"](examples=examples)["confusion"].numpy()
    served = model.serve(*(pair[records.IMAGE_ENCODED] for pair in pairs))
    for index, pair in enumerate(pairs):
        truth_HW = np.asarray(Image.open(io.BytesIO(pair[records.MASK_ENCODED])))
        expected_CC = confusion_counts(truth_HW, mask_of(served, index), NUM_CLASSES)
        np.testing.assert_array_equal(confusion[index].reshape(NUM_CLASSES, NUM_CLASSES), expected_CC)
        assert expected_CC.sum() == truth_HW.size - (truth_HW == records.VOID).sum()


@pytest.mark.parametrize(
    ("data", "way"),
    [("transformed", "resize"), ("transformed", "resize_flips"), ("transformed", "tile"), ("cropped", "tile")],
    scope="module",
)
def test_reliability_is_counted_from_the_masks_and_the_confidence_that_are_served(  # type: ignore[no-untyped-def]
    exported, request: pytest.FixtureRequest, data: str, way: str
) -> None:
    of: Transformed = request.getfixturevalue(data)
    model = exported(of, **WAYS[way])
    pairs = [*of.pairs[:2], make_pair(7, 60, 41)]
    found = model.signatures["evaluate_masks"](examples=tf.constant([as_example(pair) for pair in pairs]))
    served = model.serve(*(pair[records.IMAGE_ENCODED] for pair in pairs))
    for index, pair in enumerate(pairs):
        truth_HW = np.asarray(Image.open(io.BytesIO(pair[records.MASK_ENCODED])))
        known_HW, predicted_HW = truth_HW != records.VOID, mask_of(served, index)
        pixels_C, right_C, confidence_C, _ = found["reliability"][index].numpy().sum(axis=1).T
        right_HW = known_HW & (predicted_HW == truth_HW)
        np.testing.assert_array_equal(pixels_C, np.bincount(predicted_HW[known_HW], minlength=NUM_CLASSES))
        np.testing.assert_array_equal(right_C, np.bincount(predicted_HW[right_HW], minlength=NUM_CLASSES))
        if known_HW.all():
            assert confidence_C.sum() / truth_HW.size == pytest.approx(served["mean_confidence"][index], rel=1e-5)


def test_flips_are_averaged_when_serving_and_when_judged(exported, transformed: Transformed) -> None:  # type: ignore[no-untyped-def]
    model = exported(**WAYS["resize_flips"])
    pair = transformed.pairs[0]
    seen_HWC = resize_image(tf.io.decode_png(pair[records.IMAGE_ENCODED]), 32, 32, "stretch").numpy()[None]
    answers = [
        np.flip(probabilities_BHWC(model.network(np.flip(seen_HWC, axes).astype(np.float32), training=False)), axes)
        for axes in ((), (1,), (2,), (1, 2))
    ]
    expected_BHWC = np.mean(answers, axis=0)
    served = model.signatures["probabilities"](image=tf.constant([pair[records.IMAGE_ENCODED]]))
    np.testing.assert_allclose(served["probabilities"], expected_BHWC, atol=1e-5)
    confusion = model.signatures["evaluate"](examples=tf.constant([as_example(pair)]))["confusion"].numpy()
    truth_HW = tf.io.decode_png(pair[records.MASK_ENCODED])[..., 0].numpy()
    own_size_HWC = tf.image.resize(expected_BHWC[0], truth_HW.shape).numpy()
    expected_CC = confusion_counts(truth_HW, own_size_HWC.argmax(-1), NUM_CLASSES)
    np.testing.assert_array_equal(confusion[0].reshape(NUM_CLASSES, NUM_CLASSES), expected_CC)


def test_a_whole_image_is_normalised_by_its_own_statistics(exported, by_picture: Transformed) -> None:  # type: ignore[no-untyped-def]
    model = exported(by_picture)
    pixels = resize_image(tf.constant(RGB), 32, 32, "stretch").numpy().astype(np.float64)
    value_HWC = (pixels - pixels.mean(axis=(0, 1))) / (pixels.std(axis=(0, 1)) + 8)
    expected = probabilities_BHWC(model.network(value_HWC[None].astype(np.float32), training=False))
    served = model.signatures["probabilities"](image=tf.constant([png(RGB)]))["probabilities"]
    np.testing.assert_allclose(served, expected, atol=1e-4)


def test_tiles_are_normalised_by_the_statistics_of_the_whole_image(exported, cropped: Transformed) -> None:  # type: ignore[no-untyped-def]
    model = exported(cropped, **WAYS["tile"])
    mean_3, std_3 = RGB.mean(axis=(0, 1)), RGB.std(axis=(0, 1))

    def network(tile_BHWC: tf.Tensor) -> tf.Tensor:
        value_BHWC = (tf.cast(tile_BHWC, tf.float32) - mean_3) / (std_3 + 8)
        return probabilities_BHWC(model.network(value_BHWC, training=False))

    decided = decide_in_tiles(tf.constant(RGB), network, (32, 32), NUM_CLASSES, InferenceConfig(mode="tile"))
    assert (mask_of(model.serve(png(RGB))) == decided.class_HW.numpy()).mean() > 0.999


def test_the_padding_of_a_letterboxed_picture_is_cut_off(exported, letterboxed: Transformed) -> None:  # type: ignore[no-untyped-def]
    model = exported(letterboxed)
    picture = png(RGB)
    place = letterbox(tf.constant(45), tf.constant(70), 32, 32)
    probabilities = model.signatures["probabilities"](image=tf.constant([picture]))["probabilities"][0]
    inside = probabilities[place.top : place.top + place.height, place.left : place.left + place.width]
    expected_HWC = tf.image.resize(inside, [45, 70]).numpy()
    np.testing.assert_array_equal(mask_of(model.serve(picture)), expected_HWC.argmax(-1))


@every_way
def test_hostile_headers_are_refused_and_the_next_picture_is_served(exported, way: str) -> None:  # type: ignore[no-untyped-def]
    model = exported(**WAYS[way])
    good = make_pair(0)[records.IMAGE_ENCODED]
    bomb = good[:16] + (20_000).to_bytes(4, "big") * 2 + good[24:]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"over the limit of\D+100000\D+pixels"):
        model.serve(good, bomb)
    large_frame = bytearray(encode(Image.new("L", (500, 500)), "GIF"))
    large_frame[6:10] = b"\x01\0\x01\0"
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"500 500\D+over the limit of\D+100000\D+pixels"):
        model.serve(bytes(large_frame))
    palette_bmp = encode(Image.fromarray(RGB).quantize(16), "BMP")
    with pytest.raises(tf.errors.InvalidArgumentError, match="a BMP must have 24 bits a pixel"):
        model.serve(palette_bmp)
    assert len(model.serve(good)["mask_bytes"][0]) > 0


@every_way
def test_of_a_batch_only_the_bad_pictures_are_refused_where_each_is_asked_for_itself(exported, way: str) -> None:  # type: ignore[no-untyped-def]
    model = exported(**WAYS[way])
    good = list(kinds().values())
    bad = {
        b"no picture": "picture refused: it is not a JPEG, PNG, GIF or BMP, or its header is broken",
        good[0][:16] + (20_000).to_bytes(4, "big") * 2 + good[0][24:]: "20000 are over the limit of 100000 pixels",
        b"\xff\xd8\xff" + bytes(50): "picture refused: the JPEG data is damaged or ends early",
        good[0][:-200]: "picture refused: the PNG file ends early: its last chunk, IEND, is missing",
        encode(Image.fromarray(RGB), "JPEG")[:-300]: "picture refused: the JPEG file ends early",
        b"": "picture refused: it is empty: 0 bytes",
    }
    mixed = [picture for pair in zip(good, bad, strict=False) for picture in pair]
    answer = model.serve(*mixed, signature="serving_each")
    alone = model.serve(*mixed[::2])
    assert answer["errors"][::2].tolist() == [b""] * len(bad)
    for name, values in alone.items():
        np.testing.assert_array_equal(answer[name][::2], values)
    for sentence, told in zip(bad.values(), answer["errors"][1::2], strict=True):
        assert sentence in told.decode()
    assert answer["mask_bytes"][1::2].tolist() == [b""] * len(bad)
    assert not answer["class_fractions"][1::2].any() and not answer["mean_confidence"][1::2].any()


def test_a_thread_that_would_be_filled_up_to_a_band_of_tiles_is_refused(exported) -> None:  # type: ignore[no-untyped-def]
    thread = png(np.zeros([1, 4000, 3], np.uint8))
    assert mask_of(exported(**WAYS["resize"]).serve(thread)).shape == (1, 4000)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"filled up to whole tiles\D+32 4000\D+over the limit"):
        exported(**WAYS["tile"]).serve(thread)
