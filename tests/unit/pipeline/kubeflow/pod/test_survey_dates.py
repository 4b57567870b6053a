"""The day of a run on a cluster decides on its data."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.config.run_config import RunConfig
from pipeline.kubeflow.pod.survey import survey
from tests.support.data_set import CLASSES, DataSet
from tests.support.tiny import UNTRAINED


@pytest.fixture
def compiled(tmp_path: Path) -> dict[str, object]:
    for day in ("2024-05-01", "2024-05-02", "2024-05-03"):
        DataSet(tmp_path / "data" / day).add("a")
    source = {"type": "folders", "root": f"{tmp_path}/data/{{date}}", "window": 2}
    data = {"source": source, "classes": list(CLASSES)}
    raw = {"name": "dated", "workspace": str(tmp_path / "run"), "data": data, "trainer": UNTRAINED}
    return json.loads(RunConfig.model_validate(raw).model_dump_json(by_alias=True))


def test_the_time_of_the_run_s_creation_settles_the_window_for_all_steps(compiled: dict[str, object]) -> None:
    values = survey(compiled, {"run_date": "", "schedule_time": "2024-05-02T03:00:07Z"})
    assert json.loads(values["data_config"])["source"]["dates"] == ["2024-05-01", "2024-05-02"]
    assert json.loads(values["run_config"])["data"] == json.loads(values["data_config"])
    later = survey(compiled, {"run_date": "2024-05-03T03:00:00Z"})
    assert later["data_fingerprint"] != values["data_fingerprint"]
    same_day = survey(compiled, {"run_date": "", "schedule_time": "2024-05-03T00:00:00Z"})
    assert same_day["data_fingerprint"] == later["data_fingerprint"]


def test_a_date_that_the_run_was_given_goes_before_the_time_of_its_creation(compiled: dict[str, object]) -> None:
    values = survey(compiled, {"run_date": "2024-05-02", "schedule_time": "2024-05-03T03:00:00Z"})
    assert json.loads(values["data_config"])["source"]["dates"] == ["2024-05-01", "2024-05-02"]


@pytest.mark.parametrize("created", ["", "{{$.pipeline_job_schedule_time_utc}}"])
def test_today_is_not_taken_in_silence_where_the_data_depends_on_the_date(
    compiled: dict[str, object], created: str
) -> None:
    with pytest.raises(UserError, match=r"did not report when this run was created .*start the run with run_date"):
        survey(compiled, {"run_date": "", "schedule_time": created})


def test_a_time_that_is_not_known_is_reported_where_no_data_depends_on_it(
    compiled: dict[str, object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiled["data"]["source"].update(root=str(tmp_path / "data" / "2024-05-01"), window=1)  # type: ignore[index]
    with caplog.at_level(logging.INFO):
        survey(compiled, {"run_date": "", "schedule_time": "{{$.pipeline_job_schedule_time_utc}}"})
    assert "did not report when this run was created" in caplog.text


@pytest.mark.parametrize("date", ["[[ScheduledTime]]", "{{$.scheduledTime.strftime('%Y')}}"])
def test_a_date_that_was_not_expanded_is_named_as_that(compiled: dict[str, object], date: str) -> None:
    with pytest.raises(UserError, match="is a placeholder that Kubeflow did not expand"):
        survey(compiled, {"run_date": date, "schedule_time": "2024-05-02T03:00:00Z"})


def test_a_day_without_data_stops_the_run(compiled: dict[str, object]) -> None:
    with pytest.raises(UserError, match="no data up to 2024-04-30"):
        survey(compiled, {"run_date": "2024-04-30"})
