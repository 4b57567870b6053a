"""Probabilities by the path of the served masks."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from components.batch_predictor.loaded_model import Answer, Refusal
from pipeline.labelling.evidence import Evidence
from pipeline.labelling.probability_model import ProbabilityModel, decode
from registry.store import Registry
from tests.support.mask_model import write_mask_model
from tests.support.scenes import blocky_image, scene_registry

SIZES = [(16, 24), (40, 56), (71, 33)]


def encoded(height: int, width: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.moveaxis(blocky_image(3, height, width), 0, 2)).save(out, "PNG")
    return out.getvalue()


def model_of(registry: Registry) -> ProbabilityModel:
    return ProbabilityModel(registry.version_location(1), registry.manifest(1).config)


def assert_as_served(model: ProbabilityModel) -> None:
    """The argmax of the planes is the served mask, and the parts cover the image once."""
    for size_2 in SIZES:
        image = encoded(*size_2)
        [map_HWC], [answer] = model.whole_maps([image]), model.predict([image])
        assert isinstance(answer, Answer) and not isinstance(map_HWC, Refusal)
        assert model.working_size(size_2) == size_2
        evidence = Evidence(np.zeros(size_2, np.uint8))
        for index, window, plane_HW in model.planes(decode(image), map_HWC):
            evidence.add(index, window, plane_HW)
        served_HW = np.asarray(Image.open(io.BytesIO(answer.mask)))
        np.testing.assert_array_equal(evidence.class_HW, served_HW)
        assert len(np.unique(served_HW)) > 1, "a mask of one class would hide a mistake"
        assert evidence.confidence_HW.mean() == pytest.approx(answer.mean_confidence, rel=1e-4)
        parts = [part_HWC.copy() for part_HWC in model.parts(decode(image), map_HWC)]
        assert all(np.allclose(part_HWC.sum(axis=-1), 1, atol=1e-4) for part_HWC in parts)
        pixels = sum(part_HWC[..., 0].size for part_HWC in parts)
        assert pixels == (size_2[0] * size_2[1] if model.is_tiled else map_HWC[..., 0].size)


def test_of_a_model_that_resizes(tmp_path: Path) -> None:
    registry = scene_registry(tmp_path, mode="resize")
    assert_as_served(model_of(registry))
    unknown = ProbabilityModel(registry.version_location(1), None)
    assert not unknown.is_tiled, "the signatures say so without a configuration"


@pytest.mark.slow
@pytest.mark.parametrize("normalize", ["channel", "picture"])
def test_of_a_model_that_slides_its_window(tmp_path: Path, normalize: str) -> None:
    registry = scene_registry(tmp_path, mode="tile", normalize=normalize)
    assert_as_served(model_of(registry))
    assert ProbabilityModel(registry.version_location(1), None).is_tiled


@pytest.mark.slow
def test_of_a_model_that_slides_its_window_over_scaled_images(tmp_path: Path) -> None:
    model = model_of(scene_registry(tmp_path, mode="tile", scale=0.5))
    image = encoded(80, 112)
    [map_HWC] = model.whole_maps([image])
    assert not isinstance(map_HWC, Refusal)
    assert model.working_size((80, 112)) == (40, 56)
    covered_HW = np.zeros([40, 56], int)
    for _, window, plane_HW in model.planes(decode(image), map_HWC):
        covered_HW[window.top : window.bottom, window.left : window.right] += 1
        assert plane_HW.shape == (window.height, window.width)
    assert (covered_HW == 3).all(), "each of three classes, once a pixel"


def test_padding_is_cut_off(by_colour: Path) -> None:
    transform = {"height": 32, "width": 32, "aspect": "letterbox"}
    model = ProbabilityModel(str(by_colour), {"transform": transform})
    map_HWC = np.zeros([32, 32, 4], np.float32)
    map_HWC[8:24] = 1
    cut_HWC = model.without_padding(map_HWC, np.zeros([50, 100, 3], np.uint8))
    assert cut_HWC.shape == (16, 32, 4) and (cut_HWC == 1).all()


def test_a_damaged_image_does_not_stop_the_others(by_colour: Path) -> None:
    model = ProbabilityModel(str(by_colour), None)
    first, second, third = model.whole_maps([encoded(40, 56), encoded(40, 56)[:200], encoded(71, 33)])
    assert isinstance(second, Refusal) and second.reason
    assert not isinstance(first, Refusal) and not isinstance(third, Refusal)


def test_a_model_without_probabilities_is_refused(tmp_path: Path) -> None:
    write_mask_model(str(tmp_path / "model"))
    with pytest.raises(UserError, match="has no signature probabilities"):
        ProbabilityModel(str(tmp_path / "model"), None)
