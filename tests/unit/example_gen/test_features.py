from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from common import records
from components.example_gen.config import SizeBuckets
from components.example_gen.features import bucket, bucket_slices, build_example, measure
from components.example_gen.images import CanonicalImage
from components.example_gen.label_map import Labelled
from components.example_gen.masks import CanonicalMask
from tests.support.data_set import CLASSES, blocks, photo


@settings(deadline=None)
@given(st.data(), st.integers(1, 9), st.integers(1, 9))
def test_measures_are_those_of_numpy(data: st.DataObject, height: int, width: int) -> None:
    image_HWC = data.draw(arrays.arrays(np.uint8, (height, width, 3)))
    mask_HW = data.draw(arrays.arrays(np.uint8, (height, width), elements=st.sampled_from([0, 1, 2, 255])))
    if (mask_HW == 255).all():
        mask_HW[0, 0] = 0
    measures = measure(image_HWC, mask_HW, 3)
    luma_HW = image_HWC @ [0.299, 0.587, 0.114] / 255
    counted = mask_HW[mask_HW != 255]
    assert measures.brightness == pytest.approx(luma_HW.mean(), abs=0.51 / 255)
    assert measures.contrast == pytest.approx(luma_HW.std(), abs=0.51 / 255)
    assert measures.class_fraction.tolist() == pytest.approx([(counted == c).mean() for c in range(3)])
    assert measures.foreground_fraction == pytest.approx((counted > 0).mean())
    assert measures.void_fraction == pytest.approx((mask_HW == 255).mean())


@pytest.mark.parametrize(
    ("value", "name"),
    [(0, "<1000"), (999.9, "<1000"), (1000, "1000–5000"), (4999, "1000–5000"), (5000, "≥5000"), (9e9, "≥5000")],
)
def test_a_value_falls_into_one_bucket(value: float, name: str) -> None:
    assert bucket(value, (1000, 5000)) == name


def test_borders_are_written_as_they_were_given() -> None:
    assert [bucket(value, (0.25, 1_000_000)) for value in (0, 1, 1e6)] == ["<0.25", "0.25–1000000", "≥1000000"]


def test_a_record_holds_what_the_contract_says() -> None:
    image_HWC, mask_HW = np.asarray(photo()), blocks(values=(0, 2, 255))
    measures = measure(image_HWC, mask_HW, 3)
    slices = {"place": "bonn"} | bucket_slices(
        {
            "size": SizeBuckets(feature="image_pixels", edges=(100,)),
            "thing": SizeBuckets(feature="brightness", edges=(2,)),
        },
        measures,
    )
    example = build_example(
        "a/1",
        CanonicalImage(b"image", "jpeg", image_HWC, (32, 24), 1),
        CanonicalMask(b"mask", mask_HW, Labelled(mask_HW)),
        measures,
        CLASSES,
        slices,
    )
    got = {
        name: list(getattr(feature, feature.WhichOneof("kind")).value)
        for name, feature in example.features.feature.items()
    }
    assert got.pop(records.IMAGE_BRIGHTNESS) == pytest.approx([measures.brightness])
    assert got.pop(records.IMAGE_CONTRAST) == pytest.approx([measures.contrast])
    assert got.pop(records.MASK_CLASS_FRACTION) == pytest.approx([0.5, 0, 0.5])
    assert got.pop(records.MASK_FOREGROUND_FRACTION) == pytest.approx([0.5])
    assert got.pop(records.MASK_VOID_FRACTION) == pytest.approx([10 / 32])
    assert got == {
        records.IMAGE_ENCODED: [b"image"],
        records.IMAGE_FORMAT: [b"jpeg"],
        records.IMAGE_HEIGHT: [24],
        records.IMAGE_WIDTH: [32],
        records.IMAGE_ID: [b"a/1"],
        records.MASK_ENCODED: [b"mask"],
        records.MASK_CLASSES: [b"background", b"other"],
        "slice/place": [b"bonn"],
        "slice/size": ["≥100".encode()],
        "slice/thing": [b"<2"],
    }
