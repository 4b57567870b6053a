"""Images of named bands: what is read, at which depth, and what is refused with which words."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydantic import ValidationError

from common import records
from common.band_image import unpack_bands
from components.example_gen.band_images import canonical_bands
from components.example_gen.bands_config import BandsConfig
from components.example_gen.config import DataConfig
from components.example_gen.headers import turn
from components.example_gen.images import CanonicalImage
from components.example_gen.ingestion import IngestedExample, Ingestion
from components.example_gen.rejection import RejectionError
from components.example_gen.splits import Candidate
from tests.support.data_set import DataSet, encode, photo, raw_png

LIMIT = 1_000_000
LETTERS = "abcdefghijklmnop"


def noise(bands: int, dtype: str = "uint16", height: int = 40, width: int = 48) -> np.ndarray:
    random = np.random.default_rng(bands)
    if dtype.startswith("float"):
        return random.normal(0, 1000, (height, width, bands)).astype(dtype)
    kind = np.iinfo(dtype)
    return random.integers(kind.min, kind.max, (height, width, bands), dtype, endpoint=True)


def tiff(image: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    byteorder, bigtiff = options.pop("byteorder", "<"), options.pop("bigtiff", False)
    layout = {"planarconfig": "contig"} if image.shape[-1] > 1 else {}
    image = image[..., 0] if image.shape[-1] == 1 else image  # Else each row would be a page.
    options = {"photometric": "minisblack", "metadata": None} | layout | options
    tifffile.imwrite(buffer, image, byteorder=byteorder, bigtiff=bigtiff, **options)
    return buffer.getvalue()


def pages(image_HWC: np.ndarray, copy_first: bool = False) -> bytes:
    """A TIFF with a page for each band, and optionally copies of lower resolution among them."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for index in range(image_HWC.shape[-1]):
            writer.write(image_HWC[..., index], photometric="minisblack", metadata=None)
            if copy_first:
                writer.write(image_HWC[::2, ::2, index], photometric="minisblack", subfiletype=1, metadata=None)
    return buffer.getvalue()


def read(data: bytes, bands: int, depth: Any = "uint16", use: tuple[str, ...] | None = None) -> CanonicalImage:
    return canonical_bands(data, BandsConfig(names=tuple(LETTERS[:bands]), use=use, depth=depth), LIMIT)


def refusal(data: bytes, bands: int, depth: Any = "uint16") -> str:
    with pytest.raises(RejectionError) as caught:
        read(data, bands, depth)
    return caught.value.detail


FIVE = noise(5)
TIFFS = {
    "plain": tiff(FIVE),
    "tiles": tiff(FIVE, tile=(16, 32)),
    "LZW": tiff(FIVE, compression="lzw"),
    "LZW with differences": tiff(FIVE, compression="lzw", predictor=2),
    "Deflate in tiles": tiff(FIVE, compression="zlib", predictor=2, tile=(16, 16)),
    "Zstandard": tiff(FIVE, compression="zstd"),
    "big-endian": tiff(FIVE, byteorder=">"),
    "big-endian LZW": tiff(FIVE, byteorder=">", compression="lzw", predictor=2),
    "BigTIFF": tiff(FIVE, bigtiff=True),
    "big-endian BigTIFF": tiff(FIVE, bigtiff=True, byteorder=">", compression="zlib", tile=(16, 16)),
    "planes": tiff(np.moveaxis(FIVE, -1, 0), planarconfig="separate"),
    "planes in tiles": tiff(np.moveaxis(FIVE, -1, 0), planarconfig="separate", tile=(16, 16), compression="lzw"),
    "pages": pages(FIVE),
    "pages with copies of lower resolution": pages(FIVE, copy_first=True),
    "white is zero": tiff(65535 - FIVE[..., :1], photometric="miniswhite"),
}


@pytest.mark.parametrize("kind", TIFFS)
def test_a_tiff_keeps_every_bit(kind: str) -> None:
    wanted = FIVE[..., :1] if kind == "white is zero" else FIVE
    image = read(TIFFS[kind], wanted.shape[-1])
    np.testing.assert_array_equal(image.image_HWC, wanted)
    np.testing.assert_array_equal(unpack_bands(image.encoded), wanted)
    assert (image.format, image.size) == ("bands", (48, 40))


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 16])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_one_to_sixteen_bands_of_each_depth(bands: int, dtype: str) -> None:
    image_HWC = noise(bands, dtype)
    np.testing.assert_array_equal(read(tiff(image_HWC, compression="zlib"), bands, dtype).image_HWC, image_HWC)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float16"])
def test_float32_takes_what_it_holds_exactly(dtype: str) -> None:
    image_HWC = np.abs(noise(2, dtype)) if dtype == "float16" else noise(2, dtype)
    image = read(tiff(np.nan_to_num(image_HWC, posinf=1)), 2, "float32")
    np.testing.assert_array_equal(image.image_HWC, np.nan_to_num(image_HWC, posinf=1).astype(np.float32))


def test_float_samples_with_a_predictor_are_exact() -> None:
    image_HWC = noise(2, "float32")
    data = tiff(image_HWC, compression="zlib", predictor=3)
    np.testing.assert_array_equal(read(data, 2, "float32").image_HWC, image_HWC)


def test_a_png_of_16_bits_keeps_both_bytes() -> None:
    grey_HW = noise(1, height=9, width=7)[..., 0]
    np.testing.assert_array_equal(read(encode(Image.fromarray(grey_HW)), 1).image_HWC[..., 0], grey_HW)
    rgb_HWC = noise(3, height=9, width=7)
    data = raw_png(7, 9, [row.astype(">u2").tobytes() for row in rgb_HWC], bits=16, colour=2)
    np.testing.assert_array_equal(read(data, 3).image_HWC, rgb_HWC)


def test_alpha_is_a_band() -> None:
    image = photo().convert("RGBA")
    np.testing.assert_array_equal(read(encode(image), 4, "uint8").image_HWC, np.asarray(image))


def test_the_bands_in_use_are_picked_in_their_order() -> None:
    np.testing.assert_array_equal(read(tiff(FIVE), 5, use=("d", "a")).image_HWC, FIVE[..., [3, 0]])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_made_upright_as_ever(orientation: int) -> None:
    image_HWC = noise(3, "uint8")
    data = tiff(image_HWC, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    image = read(data, 3, "uint8")
    np.testing.assert_array_equal(image.image_HWC, np.asarray(turn(Image.fromarray(image_HWC), orientation)))
    assert (image.file_size, image.orientation) == ((48, 40), orientation)


def with_changed_bytes(data: bytes, first: int, last: int) -> bytes:
    return data[:first] + bytes(last - first) + data[last:]


REFUSED = {
    "another number of bands": (tiff(FIVE), 4, "has 5 bands, and data.bands.names has 4"),
    "too few bands": (tiff(noise(1)), 2, "has 1 band, and data.bands.names has 2"),
    "too many pages": (pages(FIVE), 4, "has 5 bands, and data.bands.names has 4"),
    "another depth": (tiff(noise(2, "uint8")), 2, "has uint8 samples, and data.bands.depth is uint16"),
    "signed samples": (tiff(noise(2, "int16")), 2, "has int16 samples, and data.bands.depth is uint16"),
    "JPEG": (encode(photo(), "JPEG"), 3, "the file is a jpeg, and data.bands reads PNG and TIFF"),
    "a palette in a PNG": (encode(photo().convert("P")), 1, "has a palette"),
    "a palette in a TIFF": (encode(photo().convert("P"), "TIFF"), 1, "has a palette"),
    "four bits": (raw_png(2, 1, [b"\x12"], bits=4), 1, "has 4 bits"),
    "a file that is cut off": (tiff(FIVE)[:-100], 5, "is cut off in page 1"),
    "a damaged header": (tiff(FIVE)[:12], 5, "tiff data cannot be decoded"),
    "damaged data": (with_changed_bytes(tiff(FIVE, compression="zlib"), 4000, 8000), 5, "tiff data cannot be decoded"),
    "a damaged PNG": (encode(Image.fromarray(noise(1)[..., 0]))[:900], 1, "the png data cannot be decoded"),
    "too many pixels": (tiff(np.zeros([1001, 1000, 1], np.uint16), compression="zlib"), 1, "over the limit of 1000000"),
    "a volume": (tiff(np.zeros([16, 16, 16, 1], np.uint16), volumetric=True, tile=(16, 16, 16)), 1, "or a volume"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_says_why(kind: str) -> None:
    data, bands, words = REFUSED[kind]
    assert words in refusal(data, bands)


def test_pages_must_agree() -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(noise(1)[..., 0], photometric="minisblack", metadata=None)
        writer.write(noise(1)[:20, :, 0], photometric="minisblack", metadata=None)
    assert refusal(buffer.getvalue(), 2) == "page 2 of the tiff file differs from page 1 in size or type"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "some samples are not finite"),
        (np.inf, "not finite"),
        (0.1, "samples that float32 does not hold exactly"),
    ],
)
def test_samples_that_would_change_are_refused(value: float, words: str) -> None:
    assert words in refusal(tiff(np.full([8, 8, 1], value, np.float64)), 1, "float32")


def test_a_short_tile_is_not_filled_with_zeros() -> None:
    """A stream that ends early decodes to fewer bytes than the strip has."""
    data = tiff(FIVE, compression="zlib", rowsperstrip=40)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        [start], [size] = file.pages[0].dataoffsets, file.pages[0].databytecounts
    short = zlib.compress(FIVE.tobytes()[:100])
    assert "tiff data" in refusal(data[:start] + short.ljust(size, b"\0") + data[start + size :], 5)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"names": ("a", "a")}, "band 'a' is named twice"),
        ({"names": ("a", "b"), "use": ("c",)}, "unknown band 'c'; names has a, b"),
        ({"names": tuple(f"b{n}" for n in range(17))}, "at most 16"),
        ({"names": ()}, "at least 1"),
    ],
)
def test_names_that_do_not_fit_are_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        BandsConfig(**keys)


def test_drawn_annotations_have_no_bands_yet() -> None:
    keys = {"source": {"type": "coco", "root": "data"}, "classes": ["a", "b"], "bands": {"names": ["x"]}}
    with pytest.raises(ValidationError, match="bands are read from sources with mask files, not from type coco"):
        DataConfig.model_validate(keys)


def records_of(config: DataConfig) -> list[dict[str, Any]]:
    from tensorflow.core.example import example_pb2

    ingestion = Ingestion(config, seed=1)
    candidates = [each for each in ingestion.identify(ingestion.listing().pairs) if isinstance(each, Candidate)]
    loaded = [each for each in ingestion.load(candidates) if isinstance(each, IngestedExample)]
    examples = [example_pb2.Example.FromString(each.record) for each in loaded]
    return [
        {name: list(getattr(f, f.WhichOneof("kind")).value) for name, f in example.features.feature.items()}
        for example in examples
    ]


def test_a_data_set_of_bands_is_ingested(data_set: DataSet) -> None:
    scenes = {name: noise(5, height=24, width=32) + np.uint16(n) for n, name in enumerate(("one", "other"))}
    for name, image_HWC in scenes.items():
        data_set.add(name, image=tiff(image_HWC, compression="lzw"))
    bands = {"names": ("red", "green", "blue", "nir", "dsm"), "use": ("nir", "dsm")}
    config = data_set.config(bands=bands)
    found = {record[records.IMAGE_ID][0].decode(): record for record in records_of(config)}
    assert set(found) == set(scenes)
    for name, record in found.items():
        np.testing.assert_array_equal(unpack_bands(record[records.IMAGE_ENCODED][0]), scenes[name][..., 3:])
        assert record[records.IMAGE_FORMAT] == [b"bands"]
        assert (record[records.IMAGE_HEIGHT], record[records.IMAGE_WIDTH]) == ([24], [32])
        assert record[records.IMAGE_BRIGHTNESS] == pytest.approx([scenes[name][..., 3:].mean() / 65535])
    summary, quarantined = data_set.survey(bands=bands)
    assert (sum(summary.used.values()), quarantined) == (2, [])
