"""A scene that is predicted by windows has the served graph's answer for the image as a whole, pixel for pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.scenes import blocky_image, write_scene
from tests.unit.pipeline.scene.conftest import MakeScenes

SIZES = [(70, 53), (41, 120), (9, 60), (60, 9), (16, 24), (5, 5)]
"""Tall and wide, narrower than a tile, as large as one, and smaller."""


@pytest.mark.parametrize("normalize", ["channel", "picture"])
@pytest.mark.parametrize("size", SIZES)
def test_of_rgb(scenes: MakeScenes, tmp_path: Path, normalize: str, size: tuple[int, int]) -> None:
    model = scenes(tmp_path, normalize=normalize)
    image_CHW = blocky_image(3, *size)
    path = write_scene(tmp_path / "scene.tif", image_CHW)
    served = model.served(image_CHW.transpose(1, 2, 0))
    np.testing.assert_array_equal(model.mask(path), served.mask_HW)
    assert len(np.unique(served.mask_HW)) > 1 or min(size) < 9


@pytest.mark.parametrize("normalize", ["channel", "picture"])
@pytest.mark.parametrize("depth", ["uint8", "uint16", "float32"])
def test_of_bands_in_the_order_of_the_configuration(
    scenes: MakeScenes, tmp_path: Path, normalize: str, depth: str
) -> None:
    model = scenes(tmp_path, normalize=normalize, depth=depth)
    image_CHW = blocky_image(4, 70, 53, depth, 255 if depth == "uint8" else 1000)
    path = write_scene(tmp_path / "scene.tif", image_CHW)
    served = model.served(image_CHW[[2, 1, 3]].transpose(1, 2, 0))
    np.testing.assert_array_equal(model.mask(path), served.mask_HW)


@pytest.mark.parametrize("settings", [{"flips": "both"}, {"overlap": 0.0}, {"overlap": 0.75, "batch": 8}])
def test_with_the_models_own_settings(scenes: MakeScenes, tmp_path: Path, settings: dict[str, object]) -> None:
    model = scenes(tmp_path, normalize="picture", **settings)
    image_CHW = blocky_image(3, 70, 53)
    path = write_scene(tmp_path / "scene.tif", image_CHW)
    np.testing.assert_array_equal(model.mask(path), model.served(image_CHW.transpose(1, 2, 0)).mask_HW)


def test_shares_and_confidence_are_the_graphs(scenes: MakeScenes, tmp_path: Path) -> None:
    model = scenes(tmp_path, normalize="picture")
    image_CHW = blocky_image(3, 70, 53)
    figures = model.predict(write_scene(tmp_path / "scene.tif", image_CHW))
    served = model.served(image_CHW.transpose(1, 2, 0))
    np.testing.assert_allclose(list(figures.shares.values()), served.class_fractions_C, rtol=1e-6)
    assert figures.mean_confidence == pytest.approx(served.mean_confidence, rel=1e-5)


@pytest.mark.parametrize("settings", [{"mode": "resize"}, {"scale": 0.5}])
def test_a_model_that_needs_the_whole_image_gets_it(
    scenes: MakeScenes, tmp_path: Path, settings: dict[str, object]
) -> None:
    model = scenes(tmp_path, **settings)
    image_CHW = blocky_image(3, 70, 53)
    path = write_scene(tmp_path / "scene.tif", image_CHW)
    np.testing.assert_array_equal(model.mask(path), model.served(image_CHW.transpose(1, 2, 0)).mask_HW)
