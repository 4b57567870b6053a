"""What the tests of stratified splits expect alike, whatever they are stratified by."""

from __future__ import annotations

import pytest

a_rare_stratum = pytest.mark.parametrize(
    ("number", "expected"),
    [
        (5, {"train": 3, "eval": 1, "test": 1}),
        (3, {"train": 1, "eval": 1, "test": 1}),
        (2, {"train": 1, "test": 1}),
        (1, {"train": 1}),
    ],
)
"""Number of images in a rare stratum, and their splits with shares of 0.7, 0.15 and 0.15."""
