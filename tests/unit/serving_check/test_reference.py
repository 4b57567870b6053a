"""How far a served mask agrees with the training graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.serving_check.reference import Export, Reference
from components.serving_check.sample_images import SampleImage


def own_mask(reference: Reference, picture: SampleImage) -> np.ndarray:
    """What `serving_default` gives, in this process."""
    import io

    import tensorflow as tf
    from PIL import Image

    answer = reference._model.signatures["serving_default"](image=tf.constant([picture.encoded]))
    return np.array(Image.open(io.BytesIO(answer["mask_bytes"].numpy()[0])))


@pytest.mark.parametrize("mode", ["resize", "tile"])
def test_agreement_falls_with_each_pixel_that_differs(
    models: Path, pictures: list[SampleImage], export: Export, mode: str
) -> None:
    reference = Reference(str(models / mode), export._replace(in_tiles=mode == "tile"))
    picture = pictures[0]
    expected, mask_HW = reference.expect(picture), own_mask(reference, picture)
    assert len(np.unique(mask_HW)) > 1
    assert reference.agreement(picture, expected, mask_HW) == 1
    mask_HW[:10] = (mask_HW[:10] + 1) % export.num_classes
    found = reference.agreement(picture, expected, mask_HW)
    assert found == pytest.approx(0.75, abs=0.01) if mode == "resize" else found < 0.95


def test_a_mask_of_another_size_agrees_in_nothing(models: Path, pictures: list[SampleImage], export: Export) -> None:
    reference = Reference(str(models / "resize"), export)
    expected = reference.expect(pictures[0])
    assert reference.agreement(pictures[0], expected, expected.T) == 0
