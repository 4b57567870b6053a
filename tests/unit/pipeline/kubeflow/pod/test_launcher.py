"""Between the launcher's world and TFX's."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import UserError
from pipeline.kubeflow.pod.launcher import (
    ArtifactPaths,
    for_launcher,
    for_tfx,
    local_path,
    make_folders,
    make_single_files,
)
from tests.kubeflow.store import from_mlmd, to_mlmd

ROOT = "minio://mlpipeline/v2/artifacts/tiny/run-1"
MODEL, BLESSING = f"{ROOT}/trainer/a/model", f"{ROOT}/evaluator/b/blessing"
SPEC = {"artifacts": {"model": {"artifactType": {"schemaTitle": "tfx.Model"}}}}


def listed(**artifact: object) -> dict[str, object]:
    return {"artifacts": [artifact]}


@pytest.fixture
def executor_input():
    """As the driver writes it for an evaluator."""
    metadata = {"display_name": "model", "store_session_info": "{}", "split_names": {"list": ["train"]}}
    outputs = {
        "blessing": listed(name="blessing", uri=BLESSING, type={"schemaTitle": "tfx.ModelBlessing"}),
        "executor-logs": listed(name="executor-logs", uri=f"{ROOT}/logs-0", type={"schemaTitle": "system.Artifact"}),
    }
    return {
        "inputs": {
            "parameterValues": {"config": "{}", "nothing": None},
            "artifacts": {"model": listed(name="17", uri=MODEL, type={"instanceSchema": ""}, metadata=metadata)},
        },
        "outputs": {"artifacts": outputs, "outputFile": "/minio/mlpipeline/x/output_metadata.json"},
    }


def test_uris_become_the_launchers_folders():
    assert local_path("gs://b/x") == "/gcs/b/x"
    assert local_path("s3://b/x") == "/s3/b/x"
    assert local_path(MODEL) == "/minio/mlpipeline/v2/artifacts/tiny/run-1/trainer/a/model"
    assert local_path("/mnt/data") == "/mnt/data"


def test_inputs_get_the_types_that_the_step_was_compiled_with(executor_input):
    given = for_tfx(executor_input, SPEC, ArtifactPaths(executor_input))
    model = given["inputs"]["artifacts"]["model"]["artifacts"][0]
    assert model["type"] == {"schemaTitle": "tfx.Model"}
    assert model["uri"] == local_path(MODEL)
    assert model["name"] == "17"


def test_what_the_launcher_adds_is_taken_away(executor_input):
    given = for_tfx(executor_input, SPEC, ArtifactPaths(executor_input))
    assert list(given["outputs"]["artifacts"]) == ["blessing"]
    assert given["inputs"]["artifacts"]["model"]["artifacts"][0]["metadata"] == {"split_names": ["train"]}
    assert given["inputs"]["parameterValues"] == {"config": "{}"}
    assert "executor-logs" in executor_input["outputs"]["artifacts"]  # What was given stays as it was.


def test_a_backend_without_ml_metadata_has_ids_of_its_own_and_wraps_nothing(executor_input):
    metadata = {"split_names": ["train"], "fields": {"list": ["as it is"]}}
    kind = {"schemaTitle": "tfx.Model"}
    model = listed(name="model", artifactId="6f1c", uri=MODEL, type=kind, metadata=metadata)
    executor_input["inputs"]["artifacts"]["model"] = model
    given = for_tfx(executor_input, SPEC, ArtifactPaths(executor_input))["inputs"]["artifacts"]["model"]["artifacts"][0]
    assert given == {"name": "6f1c", "uri": local_path(MODEL), "type": kind, "metadata": metadata}


def test_metrics_are_numbers_alone():
    kind = {"schemaTitle": "system.Metrics"}
    declared = {"outputs": {"artifacts": {"metrics": listed(uri=MODEL, type=kind), "model": listed(uri=MODEL)}}}
    metadata = {"iou": 0.5, "pairs": 3, "note": "text", "flag": True}
    written = {"artifacts": {name: listed(uri=MODEL, metadata=metadata) for name in ("metrics", "model")}}
    kept = for_launcher(written, ArtifactPaths({}), declared)["artifacts"]
    assert kept["metrics"]["artifacts"][0]["metadata"] == {"iou": 0.5, "pairs": 3}
    assert kept["model"]["artifacts"][0]["metadata"] == metadata


def test_an_input_that_was_not_compiled_is_refused(executor_input):
    with pytest.raises(UserError, match="without an input model"):
        for_tfx(executor_input, {}, ArtifactPaths(executor_input))


json_values = st.recursive(
    st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
)


@given(json_values)
def test_metadata_survives_the_store(value):
    stored = from_mlmd(to_mlmd(value))
    given = {"inputs": {"artifacts": {"model": listed(uri=MODEL, metadata={"x": stored})}}}
    translated = for_tfx(given, SPEC, ArtifactPaths({}))
    assert translated["inputs"]["artifacts"]["model"]["artifacts"][0]["metadata"]["x"] == value


def test_paths_in_metadata_become_uris_again_and_nothing_else_does(executor_input):
    metadata = {
        "current_model": f"{local_path(MODEL)}/Format-Serving",
        "beside": f"{local_path(MODEL)}-other",
        "pushed_destination": "s3://models/3",
        "all": {"parts": [local_path(MODEL)]},
    }
    written = {"artifacts": {"blessing": listed(uri=local_path(BLESSING), metadata=metadata)}}
    blessing = for_launcher(written, ArtifactPaths(executor_input))["artifacts"]["blessing"]["artifacts"][0]
    assert blessing["uri"] == BLESSING
    assert blessing["metadata"] == {
        "current_model": f"{MODEL}/Format-Serving",
        "beside": f"{local_path(MODEL)}-other",
        "pushed_destination": "s3://models/3",
        "all": {"parts": [MODEL]},
    }


def test_what_the_store_refuses_or_nobody_asked_for_is_left_out():
    metadata = {"tfx_version": "1.16.0", "none": None, "nan": float("nan"), "custom:span": 3, "kept": 0.5}
    written = {"artifacts": {"x": listed(uri="/a", metadata=metadata)}}
    artifact = for_launcher(written, ArtifactPaths({}))["artifacts"]["x"]["artifacts"][0]
    assert artifact["metadata"] == {"span": 3, "kept": 0.5}


def test_real_uris_are_left_alone_when_asked():
    given = {"outputs": {"artifacts": {"x": listed(uri="gs://b/x"), "y": listed(uri="minio://b/y")}}}
    outputs = for_tfx(given, {}, ArtifactPaths(given, keep_uris=True))["outputs"]["artifacts"]
    assert outputs["x"]["artifacts"][0]["uri"] == "gs://b/x"
    assert outputs["y"]["artifacts"][0]["uri"] == "/minio/b/y"


def test_a_line_names_artifacts_by_their_uris(executor_input):
    line = ArtifactPaths(executor_input).named_by_uri(f"report: {local_path(BLESSING)}/report.html")
    assert line == f"report: {BLESSING}/report.html"


def test_outputs_and_inputs_that_were_empty_get_their_folders(tmp_path):
    folders = {"inputs": tmp_path / "in", "outputs": tmp_path / "a" / "out"}
    make_folders({side: {"artifacts": {"x": listed(uri=str(folder))}} for side, folder in folders.items()})
    assert all(folder.is_dir() for folder in folders.values())
    make_folders({"outputs": {"artifacts": {"x": listed(uri="gs://b/x")}}})


def test_a_page_lies_where_the_dashboard_opens_it(tmp_path):
    page, model = tmp_path / "report", tmp_path / "model"
    for folder in (page, model):
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "report.html").write_text("<html>")
    kinds = {page: {"instanceSchema": "title: system.HTML\ntype: object\n"}, model: {"schemaTitle": "tfx.Model"}}
    make_single_files(
        {"outputs": {"artifacts": {path.name: listed(uri=str(path), type=kind) for path, kind in kinds.items()}}}
    )
    assert page.read_text() == "<html>" and model.is_dir()
    assert json.dumps(sorted(path.name for path in tmp_path.iterdir())) == '["model", "report"]'


def test_links_of_a_page_stay_in_the_frame_that_the_dashboard_shows_it_in(tmp_path):
    for name, title in (("report", "system.HTML"), ("summary", "system.Markdown")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("<head></head><a href='#part'>")
        kind = {"schemaTitle": title}
        make_single_files({"outputs": {"artifacts": {name: listed(uri=str(tmp_path / name), type=kind)}}})
    head, rest = (tmp_path / "report").read_text().split("</script>")
    assert head.startswith("<head>\n<script>") and '<base href="about:srcdoc">' in head
    assert rest == "</head><a href='#part'>"
    assert (tmp_path / "summary").read_text() == "<head></head><a href='#part'>"


def test_a_page_of_two_files_is_a_mistake(tmp_path):
    for name in ("a.html", "b.css"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match="but holds 2"):
        make_single_files(
            {"outputs": {"artifacts": {"x": listed(uri=str(tmp_path), type={"schemaTitle": "system.Markdown"})}}}
        )
