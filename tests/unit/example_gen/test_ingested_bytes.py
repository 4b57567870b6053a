"""Records of 8-bit images, byte for byte: what is added for other images must not change them."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.example_gen.ingestion import IngestedExample, Ingestion
from components.example_gen.splits import Candidate
from tests.support.data_set import DataSet, encode

RGB = (np.arange(24 * 32 * 3) * 7 % 256).astype(np.uint8).reshape(24, 32, 3)
MASK = (np.arange(24 * 32) // 100 % 3).astype(np.uint8).reshape(24, 32)
KINDS: dict[str, tuple[Image.Image, str, dict[str, Any], str]] = {
    "RGB": (Image.fromarray(RGB), "BMP", {}, "fff0dd4939192f7d6a0d53fca847dba761d1fb11fb7b1617eb422a9562cc5c26"),
    "grey": (
        Image.fromarray(RGB[..., 0]),
        "PNG",
        {"compress_level": 0},
        "a14308462ffb248d527b4882728fd5ff853bc7988bcc575799e83a011cf2c821",
    ),
    "alpha": (
        Image.fromarray(np.dstack([RGB, RGB[..., :1]])),
        "PNG",
        {"compress_level": 0},
        "c7c6151d9ef19cf636c190d21e1a97a92f7fa052112c8decd011a717e736a591",
    ),
    "16 bits": (
        Image.fromarray(RGB[..., 0].astype(np.uint16) * 250),
        "PNG",
        {"compress_level": 0},
        "e678422f2a8a43ea04d9db0ac9f831047717aef2caa31c786fff9360ec2684fb",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_of_an_8_bit_image_stays_the_same(data_set: DataSet, kind: str) -> None:
    image, form, options, digest = KINDS[kind]
    data_set.add("one", image=encode(image, form, **options), mask=encode(MASK, compress_level=0))
    ingestion = Ingestion(data_set.config(), seed=1)
    candidates = [each for each in ingestion.identify(ingestion.listing().pairs) if isinstance(each, Candidate)]
    [loaded] = ingestion.load(candidates)
    assert isinstance(loaded, IngestedExample)
    assert hashlib.sha256(loaded.record).hexdigest() == digest
