"""Where Beam's steps run on a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from common.errors import UserError
from pipeline.beam.config import LocalBeam, read_beam
from pipeline.config.run_config import RunConfig, make_config
from pipeline.kubeflow.compile.beam import beam_environment, staging_of
from pipeline.kubeflow.names import BEAM, KEEP_URIS

FLINK = {"runner": "flink", "environment": "external"}
DATAFLOW = {"runner": "dataflow", "project": "p", "region": "r", "temp_location": "gs://b/t", "image": "i"}


def made(beam: dict[str, Any], **kubeflow: Any) -> RunConfig:
    data = {"source": {"type": "folders", "root": "data"}, "classes": ["background", "roof"]}
    return make_config({"name": "roofs", "data": data, "beam": beam, "kubeflow": kubeflow}, (), "roofs.yaml")


def test_one_process_needs_no_variable_and_a_step_without_beam_gets_none() -> None:
    assert beam_environment(made({}), "transform") == {}
    assert beam_environment(made({"workers": 4}), "trainer") == {}


def test_workers_in_the_pod_are_a_variable_which_the_pod_reads() -> None:
    variables = beam_environment(made({"workers": 4}), "transform")
    assert read_beam(variables[BEAM]) == LocalBeam(workers=4)


def test_a_step_may_have_its_own() -> None:
    config = made({"workers": 4}, steps={"default": {"beam": {"workers": 2}}, "transform": {"beam": {"workers": 8}}})
    workers = {task: read_beam(beam_environment(config, task)[BEAM]) for task in ("statistics-gen", "transform")}
    assert workers == {"statistics-gen": LocalBeam(workers=2), "transform": LocalBeam(workers=8)}


def test_an_engine_is_refused_where_it_could_not_read_the_steps_artifacts() -> None:
    told = r"its workers cannot read the artifacts of transform, .* set beam.staging to a folder on a claim"
    with pytest.raises(UserError, match=told):
        beam_environment(made(FLINK), "transform")
    with pytest.raises(UserError, match=told):
        beam_environment(made(FLINK, steps={"default": {"env": {KEEP_URIS: "1"}}}), "transform")
    with pytest.raises(UserError, match=r"runner dataflow: .* set beam.staging to an address in gs://"):
        beam_environment(made(DATAFLOW), "transform")


def test_an_engine_takes_a_step_whose_artifacts_are_staged() -> None:
    config = made({**FLINK, "staging": "staging"})
    assert read_beam(beam_environment(config, "transform")[BEAM]) == config.beam
    assert staging_of(config, "transform") == "staging"
    assert staging_of(config, "trainer") is None


def test_an_engine_takes_a_step_that_reads_and_writes_the_bucket_itself() -> None:
    config = made(FLINK, pipeline_root="gs://bucket/root", steps={"default": {"env": {KEEP_URIS: "1"}}})
    assert read_beam(beam_environment(config, "transform")[BEAM]) == config.beam


def test_a_step_is_staged_or_keeps_its_uris() -> None:
    config = made({**FLINK, "staging": "staging"}, steps={"transform": {"env": {KEEP_URIS: "1"}}})
    with pytest.raises(UserError, match=r"kubeflow.steps.transform.env.SEGPIPE_KEEP_URIS and beam.staging exclude"):
        beam_environment(config, "transform")


def test_workers_in_the_pod_cannot_serve_an_engine() -> None:
    with pytest.raises(UserError, match="loopback starts the workers in the pod of transform, which the engine does"):
        beam_environment(made({"runner": "flink"}), "transform")
