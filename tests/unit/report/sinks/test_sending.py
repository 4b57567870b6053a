"""Sinks: off by default, checked before a run, and never the reason why a run fails."""

from __future__ import annotations

import importlib.util
import logging
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from common.errors import UserError
from components.report.sinks.check import check_sinks
from components.report.sinks.config import SinksConfig
from components.report.sinks.sending import send
from tests.support.model_registry import fake_model_registry


def mlflow(**settings: object) -> SinksConfig:
    return SinksConfig.model_validate({"mlflow": {"tracking_uri": "http://127.0.0.1:9", **settings}})


def test_nothing_is_sent_by_default(make_report, caplog: pytest.LogCaptureFixture) -> None:
    check_sinks(SinksConfig())
    with caplog.at_level(logging.INFO):
        send(SinksConfig(), make_report(), {}, {}, "model")
    assert not caplog.records


def test_a_server_that_is_gone_is_reported_and_the_run_goes_on(
    make_report, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    pytest.importorskip("mlflow", reason="pip install -e '.[mlflow]'")
    (tmp_path / "report.html").write_text("<html>")
    with caplog.at_level(logging.INFO, "segpipe.progress"):
        documents = {"report.html": str(tmp_path / "report.html")}
        send(mlflow(timeout_seconds=1), make_report(), {}, documents, str(tmp_path))
    (told,) = (record.getMessage() for record in caplog.records if record.name == "segpipe.progress")
    assert re.match(r"warning: the run was not sent to MLflow, http://127.0.0.1:9: .*[Rr]efused", told)


def test_a_hub_that_is_gone_is_reported_and_the_run_goes_on(make_report, caplog: pytest.LogCaptureFixture) -> None:
    sinks = SinksConfig.model_validate({"kubeflow_hub": {"server": "http://127.0.0.1:9/", "timeout_seconds": 1}})
    with caplog.at_level(logging.INFO, "segpipe.progress"):
        send(sinks, make_report(), {}, {}, "model")
    (told,) = (record.getMessage() for record in caplog.records if record.name == "segpipe.progress")
    assert re.match(r"warning: the run was not sent to Kubeflow Hub, http://127.0.0.1:9: .*[Rr]efused", told)


def test_each_sink_is_tried_even_if_another_fails(make_report, caplog: pytest.LogCaptureFixture) -> None:
    with fake_model_registry() as server, caplog.at_level(logging.INFO, "segpipe.progress"):
        both = {"mlflow": {"tracking_uri": "http://127.0.0.1:9"}, "kubeflow_hub": {"server": server}}
        send(SinksConfig.model_validate(both), make_report(), {}, {"gone.html": "/gone"}, "model")
    failed, sent = (record.getMessage() for record in caplog.records if record.name == "segpipe.progress")
    assert failed.startswith("warning: the run was not sent to MLflow")
    assert sent.startswith("Kubeflow Hub: version 3 of sample registered")


def test_a_missing_package_is_found_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'segpipe\[mlflow\]'"):
        check_sinks(mlflow())


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("mlruns", "is not the address of a server"),
        ("file:///tmp/mlruns", "is not the address of a server"),
        ("http://", "is not the address of a server"),
        ("http://me:secret@host", "must not hold credentials"),
    ],
)
def test_an_address_is_checked(address: str, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        mlflow(tracking_uri=address)
    with pytest.raises(ValidationError, match=sentence):
        SinksConfig.model_validate({"kubeflow_hub": {"server": address}})


@pytest.mark.parametrize("name", ["", 'a"b', "a%", "-a", "é", "a" * 251])
def test_a_name_that_a_filter_could_not_quote_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="is not a name"):
        SinksConfig.model_validate({"kubeflow_hub": {"server": "http://hub", "registered_model": name}})
