"""The score of a mask against the formula, and against cleanlab if there is a Python that has it."""

from __future__ import annotations

import json
import math
import os
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.labelling.label_quality import TEMPERATURE, soft_minimum

PYTHON = os.environ.get("SEGPIPE_TEST_CLEANLAB", "")
BY_CLEANLAB = """
import json, sys
import numpy as np
from cleanlab.segmentation.rank import get_label_quality_scores

random = np.random.default_rng(0)
labels = random.integers(0, 3, (4, 24, 32))
probabilities = random.dirichlet([0.3, 0.3, 0.3], (4, 24, 32)).transpose(0, 3, 1, 2)
json.dump(get_label_quality_scores(labels, probabilities, verbose=False)[0].tolist(), sys.stdout)
"""


@settings(max_examples=100)
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30))
def test_it_is_the_mean_weighted_by_the_exponential_of_1_less_the_score(scores: list[float]) -> None:
    weights = [math.exp((1 - score) / TEMPERATURE) for score in scores]
    expected = sum(w * s for w, s in zip(weights, scores, strict=True)) / sum(weights)
    found = soft_minimum(np.array(scores, np.float32))
    assert found == pytest.approx(expected, abs=1e-9)
    assert min(scores) - 1e-9 <= found <= np.mean(scores) + 1e-9


def test_one_certainly_wrong_pixel_counts_much() -> None:
    assert soft_minimum(np.ones(1000)) == 1
    assert soft_minimum(np.array([0.0] + 999 * [1.0])) < 0.05
    assert soft_minimum(np.array([0.0, 1.0]), temperature=1e-3) == 0


@pytest.mark.skipif(not PYTHON, reason="SEGPIPE_TEST_CLEANLAB does not name a Python that has cleanlab 2")
def test_cleanlab_has_the_same_numbers() -> None:
    done = subprocess.run([PYTHON, "-c", BY_CLEANLAB], capture_output=True, text=True, check=True)
    random = np.random.default_rng(0)
    labels_NHW = random.integers(0, 3, (4, 24, 32))
    probabilities_NHWC = random.dirichlet([0.3, 0.3, 0.3], (4, 24, 32))
    given_NHW = np.take_along_axis(probabilities_NHWC, labels_NHW[..., None], axis=-1)[..., 0]
    found = [soft_minimum(given_HW.ravel()) for given_HW in given_NHW]
    assert found == pytest.approx(json.loads(done.stdout), abs=1e-9)
