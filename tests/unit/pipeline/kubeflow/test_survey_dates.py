"""The day of a run on a cluster decides on its data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.errors import UserError
from pipeline.config import RunConfig
from pipeline.kubeflow.survey import survey
from tests.support.data_set import CLASSES, DataSet


@pytest.fixture
def compiled(tmp_path: Path) -> dict[str, object]:
    for day in ("2024-05-01", "2024-05-02", "2024-05-03"):
        DataSet(tmp_path / "data" / day).add("a")
    source = {"type": "folders", "root": f"{tmp_path}/data/{{date}}", "window": 2}
    raw = {"name": "dated", "workspace": str(tmp_path / "run"), "data": {"source": source, "classes": list(CLASSES)}}
    return json.loads(RunConfig.model_validate(raw).model_dump_json(by_alias=True))


def test_the_scheduled_time_settles_the_window_for_all_steps(compiled: dict[str, object]) -> None:
    values = survey(compiled, {"run_date": "20240502030000"})
    assert json.loads(values["data_config"])["source"]["dates"] == ["2024-05-01", "2024-05-02"]
    assert json.loads(values["run_config"])["data"] == json.loads(values["data_config"])
    later = survey(compiled, {"run_date": "2024-05-03T03:00:00Z"})
    assert later["data_fingerprint"] != values["data_fingerprint"]
    assert survey(compiled, {"run_date": ""})["data_fingerprint"] == later["data_fingerprint"]


def test_a_day_without_data_stops_the_run(compiled: dict[str, object]) -> None:
    with pytest.raises(UserError, match="no data up to 2024-04-30"):
        survey(compiled, {"run_date": "2024-04-30"})
