"""Records of each way to transform images, and their graphs.

How images are normalised is no part of a transform graph: the network and the exported model see to it.
"""

from __future__ import annotations

import pytest

from components.transform.config import TransformConfig
from tests.support.made_once import made_once
from tests.support.transformed import Transformed, make_pair, run_transform


@pytest.fixture(scope="session")
def letterboxed(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    config = TransformConfig(height=32, width=32, aspect="letterbox")
    pairs = [make_pair(i) for i in range(4)]
    return made_once(tmp_path_factory, "letterboxed", lambda folder: run_transform(pairs, config, folder))


@pytest.fixture(scope="session")
def by_picture(transformed: Transformed) -> Transformed:
    """Resized images, each normalised by its own statistics."""
    return _normalised_by_picture(transformed)


@pytest.fixture(scope="session")
def cropped(native: Transformed) -> Transformed:
    """Images at their own size, each normalised by its own statistics."""
    return _normalised_by_picture(native)


def _normalised_by_picture(transformed: Transformed) -> Transformed:
    return transformed._replace(config=transformed.config.model_copy(update={"normalize": "picture"}))
