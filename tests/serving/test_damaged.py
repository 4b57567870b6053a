"""Damaged files: each is refused with what is wrong with it, over every way, and no good one is."""

from __future__ import annotations

import io
from collections.abc import Callable

import grpc
import numpy as np
import pytest
from PIL import Image

from segpipe_client import PictureRefusedError, SegmentationClient
from tests.support.serving import MODEL, Hosted, picture

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, [60, 80, 3]).astype(np.uint8))


def file_of(kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    NOISE.save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def overwritten(data: bytes, place: int, part: bytes) -> bytes:
    return data[:place] + part + data[place + len(part) :]


JPEG, PROGRESSIVE, PNG, GIF, BMP = (
    file_of("JPEG"),
    file_of("JPEG", progressive=True),
    file_of("PNG"),
    file_of("GIF"),
    file_of("BMP"),
)
DAMAGED = {
    "JPEG without 2 bytes": (JPEG[:-2], "the JPEG file ends early: its end marker is missing"),
    "JPEG without 200 bytes": (JPEG[:-200], "the JPEG file ends early: its end marker is missing"),
    "half a JPEG": (JPEG[: len(JPEG) // 2], "the JPEG file ends early: its end marker is missing"),
    "half a progressive JPEG": (PROGRESSIVE[: len(JPEG) // 2], "the JPEG file ends early: its end marker is missing"),
    "a JPEG's header": (JPEG[:100], "the JPEG file ends early, in its header"),
    "JPEG with a tail of zeros": (
        JPEG[: len(JPEG) // 2] + bytes(len(JPEG) // 2),
        "the JPEG file ends early: its end marker is missing",
    ),
    "JPEG with broken tables": (
        overwritten(JPEG, JPEG.index(b"\xff\xc4") + 8, b"\xff" * 10),
        "the JPEG data is damaged or ends early",
    ),
    "PNG without 300 bytes": (PNG[:-300], "the PNG file ends early: its last chunk, IEND, is missing"),
    "PNG without 2 bytes": (PNG[:-2], "the PNG file ends early: its last chunk, IEND, is missing"),
    "PNG with a broken checksum": (
        overwritten(PNG, PNG.index(b"IEND") - 8, b"abcd"),
        "the PNG data is damaged or ends early",
    ),
    "PNG with broken pixels": (
        overwritten(PNG, PNG.index(b"IDAT") + 100, b"\0\1\2\3" * 10),
        "the PNG data is damaged or ends early",
    ),
    "half a GIF": (GIF[: len(GIF) // 2], "the GIF data is damaged or ends early"),
    "half a BMP": (BMP[: len(BMP) // 2], "the BMP file ends early: it is shorter than its header says"),
    "nothing": (b"", "it is empty: 0 bytes"),
    "an error page": (b"<!doctype html><h1>502</h1>", "it is HTML, XML or SVG text"),
    "WebP": (file_of("WEBP"), "it is a WebP file: convert it to JPEG or PNG"),
    "TIFF": (file_of("TIFF"), "it is a TIFF file: convert it to JPEG or PNG"),
}
each_damage = pytest.mark.parametrize(("data", "words"), DAMAGED.values(), ids=DAMAGED.keys())


@each_damage
def test_a_damaged_file_is_named_as_what_it_is(server: Hosted, data: bytes, words: str) -> None:
    status, answer = server.predict_json(data)
    assert status == 400
    assert answer["error"].startswith(f"picture refused: {words}")
    with pytest.raises(grpc.RpcError) as caught:
        server.predict(data)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, answer["error"])


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_the_client_says_it_too(server: Hosted, scheme: str) -> None:
    host = server.http if scheme == "http" else f"grpc://{server.grpc}"
    with SegmentationClient(f"{host}/v1/models/{MODEL}") as client:
        with pytest.raises(PictureRefusedError, match=r"^picture refused: the JPEG file ends early: "):
            client.predict(JPEG[:-200])
        results = client.predict_many([PNG, PNG[:-300]], return_refused=True)
    assert isinstance(results[1], PictureRefusedError)
    assert results[1].index == 1


def test_of_several_pictures_the_refused_one_has_its_index(server: Hosted) -> None:
    for place in range(3):
        pictures = [picture(), picture(24, 24), picture(32, 40)]
        pictures[place] = DAMAGED["PNG with a broken checksum"][0]
        status, answer = server.predict_json(*pictures)
        assert (status, answer) == (
            400,
            {"error": f"picture refused: index {place} of 3: the PNG data is damaged or ends early"},
        )


def test_each_of_several_is_told_where_each_is_asked_for_itself(server: Hosted) -> None:
    pictures = [PNG, *(data for data, _ in DAMAGED.values())]
    answer = server.predict(*pictures, signature="serving_each")
    good, *errors = (error.decode() for error in answer.outputs["errors"].string_val)
    assert good == ""
    for error, (_, words) in zip(errors, DAMAGED.values(), strict=True):
        assert error.startswith(f"picture refused: {words}")


@pytest.mark.parametrize(
    "change",
    [
        lambda jpeg: jpeg + b"\0" * 30,
        lambda jpeg: jpeg + jpeg,
        lambda jpeg: jpeg + jpeg[:300],
        lambda jpeg: jpeg[:2] + b"\xff\xe1\xff\xff" + JPEG.ljust(0xFFFD, b"\0")[:0xFFFD] + jpeg[2:],
        lambda jpeg: jpeg[:2] + b"\xff\xff\xff" + jpeg[2:],
    ],
    ids=["zeros after the end", "two in one", "a half one after it", "a preview within", "fill bytes"],
)
def test_a_jpeg_that_tensorflow_decodes_is_not_called_damaged(server: Hosted, change: Callable[[bytes], bytes]) -> None:
    import tensorflow as tf

    data = change(JPEG)
    assert tf.io.decode_image(data).shape == (60, 80, 3)
    status, answer = server.predict_json(data)
    assert status == 200, answer
