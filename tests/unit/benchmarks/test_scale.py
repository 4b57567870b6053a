"""The tables that `benchmarks.scale` prints, and its pairs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from benchmarks.scale import STEPS, measured_rows, model_rows, write_pairs


def figures(seconds: float, megabytes: float, size: int) -> dict[str, dict[str, float]]:
    return {
        step: {"seconds": seconds, "cpu_seconds": seconds, "peak_mb": megabytes, "bytes": size}
        for step in ("listing", *STEPS)
    }


MEASURED = {1000: figures(10.0, 900.0, 2_000_000), 10_000: figures(28.0, 945.0, 20_000_000)}


def test_the_model_is_the_line_through_the_two_largest_points() -> None:
    rows = [row.split() for row in model_rows({100: figures(99.0, 99.0, 99), **MEASURED})]
    at_1e7 = next(row for row in rows if row[:2] == ["1e+07", "Transform"])
    # 2 ms, 5 kB and 2 kB a pair, beside 8 s and 895 MB.
    assert [float(value) for value in at_1e7[2:]] == [round(20_008 / 3600, 2), 50.9, 20.0]


@pytest.mark.parametrize("pairs", [(1000,), (3000, 10_000), (100, 1000)])
def test_points_that_are_too_near_have_no_line(pairs: tuple[int, ...]) -> None:
    told = "no cost model: it needs two numbers of pairs, 10 times apart, the larger at least 10000"
    assert [row.strip() for row in model_rows(dict.fromkeys(pairs, MEASURED[1000]))] == [told]


def test_the_table_has_a_row_for_each_step_and_number() -> None:
    _, *rows = measured_rows(MEASURED)
    assert len(rows) == 2 * (1 + len(STEPS))
    assert rows[0].split() == ["1000", "listing", "10.0", "10.0", "100", "900", "2000"]


def test_no_two_images_are_equal(tmp_path: Path) -> None:
    write_pairs(tmp_path, 300, 16)
    contents = {hashlib.sha256(file.read_bytes()).digest() for file in (tmp_path / "images").iterdir()}
    assert len(contents) == 300 == len(list((tmp_path / "masks").iterdir()))
