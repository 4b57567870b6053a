"""What `segpipe check` says of data with dates."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.data_set import CLASSES, DataSet
from tests.support.tiny import UNTRAINED, segpipe_here


def test_the_window_is_shown_and_the_day_of_the_run_can_be_given(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for day in ("2024-05-01", "2024-05-02", "2024-05-04", "2024-05-06"):
        for name in "abcdefgh":
            DataSet(tmp_path / "data" / day).add(name + day)
    data = {"source": {"type": "folders", "root": f"{tmp_path}/data/{{date}}", "window": 3}, "classes": [*CLASSES]}
    config = {"name": "dated", "workspace": str(tmp_path / "run"), "data": data, "trainer": UNTRAINED}
    (tmp_path / "dated.yaml").write_text(yaml.safe_dump(config))
    done = segpipe_here(capfd, "check", tmp_path / "dated.yaml", "--date", "2024-05-05T03:00:00Z")
    assert "data of 2024-05-01, 2024-05-02, 2024-05-04 (window: 3)" in done.stdout, done.stderr
    done = segpipe_here(capfd, "check", tmp_path / "dated.yaml", "--date", "2024-04-05")
    assert done.returncode == 1
    assert "there is no data up to 2024-04-05" in done.stderr
    assert "is not a run date" in segpipe_here(capfd, "check", tmp_path / "dated.yaml", "--date", "soon").stderr
