"""How much each worker of an engine writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from common.errors import UserError
from components.transform.share import check_share, estimate_records


def _write(file: Path, records: int, size: int = 1000) -> None:
    with tf.io.TFRecordWriter(str(file)) as writer:
        for index in range(records):
            writer.write(bytes(size + index % 7))


def test_records_are_counted_by_the_sizes_of_files(tmp_path: Path) -> None:
    for index, records in enumerate([300, 500, 0, 120]):
        _write(tmp_path / f"data-{index}", records)
    assert estimate_records(f"{tmp_path}/*") == pytest.approx(920, rel=0.01)


@pytest.mark.parametrize("files", [0, 1])
def test_a_split_may_be_empty(tmp_path: Path, files: int) -> None:
    for index in range(files):
        _write(tmp_path / f"data-{index}", 0)
    assert estimate_records(f"{tmp_path}/*") == 0
    check_share([f"{tmp_path}/*"], 1 << 40, workers=1)
    check_share([], 1 << 40, workers=1)


def test_too_large_a_share_is_refused_with_the_number_of_workers_that_suffices(tmp_path: Path) -> None:
    for split, records in (("train", 1000), ("test", 100)):
        (tmp_path / split).mkdir()
        _write(tmp_path / split / "data", records)
    patterns = [f"{tmp_path}/{split}/*" for split in ("train", "test")]
    check_share(patterns, 1_790_000, workers=2)
    with pytest.raises(UserError, match=r"about 3\.6 GB.* 0\.9 GB a worker: .* to 4 or more, not 3\."):
        check_share(patterns, 3_580_000, workers=3)
    check_share(patterns, 3_580_000, workers=4)
