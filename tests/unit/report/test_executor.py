"""The step: from the artifacts of a run, with a real SavedModel, to the page."""

from __future__ import annotations

import json
import logging
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from tfx.types import standard_artifacts
from tfx.types.channel_utils import as_channel

from common.records import VOID
from common.run_context import RunContext, StepUsage, run_context
from components.artifacts import ConfusionMatrix, GateResult, Lineage, Metrics, Quarantine, Report, Summary
from components.evaluator.results import RESULTS_FILE, Evaluation
from components.report import lineage as report_lineage
from components.report.component import RunReport
from components.report.executor import Executor
from components.serving_check.result import RESULT_FILE
from registry.exports import EXPORTS_FILE, Export, Exports

SCENES = 6
EXPORTS = Exports(
    saved_model_bytes=1_234_567,
    formats=(
        Export(
            format="tflite_int8",
            path="assets.extra/tflite_int8/model.tflite",
            bytes=40_000,
            pictures=13,
            agreement=0.9921,
            mean_agreement=0.998,
            mean_iou=0.8,
            iou_loss=0.0031,
            calibration_pictures=80,
        ),
    ),
)


def artifact(kind, folder: Path):
    made = kind()
    made.uri = str(folder)
    return made


def written(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def scenes(scene):
    """Scene k has k rows of bright pixels that its mask knows nothing of; the last scene is void."""
    made = []
    for index in range(SCENES):
        mask_HW = np.zeros((16, 16), np.uint8)
        mask_HW[8:] = 1
        image_HW = mask_HW * 255
        image_HW[:index] = 255
        made.append(scene(f"scene-{index}", image_HW, mask_HW, {"light": "night" if index % 2 else "day"}))
    made.append(scene("nothing", np.zeros((16, 16), np.uint8), np.full((16, 16), VOID, np.uint8)))
    return made


@pytest.fixture
def artifacts(tmp_path, make_report, scenes, write_split, model_folder):
    data = make_report()
    write_split(tmp_path / "examples" / "Split-test", scenes)
    examples = artifact(standard_artifacts.Examples, tmp_path / "examples")
    examples.split_names = '["train", "eval", "test"]'
    lines = "".join(pair.model_dump_json() + "\n" for pair in data.quarantined)
    folders = {
        "quarantine": (Quarantine, {"summary__json": data.ingestion.model_dump_json(), "quarantine__jsonl": lines}),
        "gate": (GateResult, {"gate__json": data.gate.model_dump_json()}),
        "model_run": (standard_artifacts.ModelRun, {"history__json": data.trainings[0].model_dump_json()}),
        "evaluation": (standard_artifacts.ModelEvaluation, {"metrics__json": data.evaluation.model_dump_json()}),
        "pushed_model": (standard_artifacts.PushedModel, {"pushed__json": data.push.model_dump_json()}),
    }
    made = {key: [artifact(kind, written(tmp_path / key, **files))] for key, (kind, files) in folders.items()}
    return {"examples": [examples], "model": [artifact(standard_artifacts.Model, model_folder)], **made}


def run(artifacts, tmp_path: Path, **report) -> tuple[str, Path]:
    outputs = made(tmp_path, artifacts, **report)
    output = Path(outputs["report"][0].uri)
    return (output / "report.html").read_text(encoding="utf-8"), output


def made(tmp_path: Path, artifacts, **report):
    kinds = {"report": Report, "metrics": Metrics, "confusion_matrix": ConfusionMatrix, "summary": Summary}
    kinds["lineage"] = Lineage
    outputs = {name: [artifact(kind, written(tmp_path / f"{name}_output"))] for name, kind in kinds.items()}
    config = {"name": "sample", "data": {"classes": ["ground", "roof"]}, "report": report}
    Executor().Do(artifacts, outputs, {"run_config": json.dumps(config), "code": "c0ffee"})
    return outputs


def test_the_page_shows_the_worst_and_the_best_predictions_of_the_model(artifacts, tmp_path):
    text, _ = run(artifacts, tmp_path, best=1, worst=2, worst_of_class=0)
    shown = re.findall(r'<article class="picture" id="example-\d+" data-name="([^"]*)"', text)
    assert shown == ["scene-5", "scene-4", "scene-0"]
    assert f"Of {SCENES} images" in text
    assert text.count("data:image/png") == 9 and text.count("data:image/jpeg") == 3, "each is stored once"


def test_the_page_is_the_only_file_of_its_artifact(artifacts, tmp_path):
    _, output = run(artifacts, tmp_path, best=0, worst=0, worst_of_class=0)
    assert [file.name for file in output.iterdir()] == ["report.html"]


def test_the_dashboard_gets_figures_a_matrix_and_a_summary(artifacts, tmp_path):
    outputs = made(tmp_path, artifacts, best=0, worst=0, worst_of_class=0)
    metrics = outputs["metrics"][0]
    evaluation = Evaluation.model_validate_json((Path(metrics.uri) / RESULTS_FILE).read_text())
    assert metrics.get_float_custom_property("iou/roof") == evaluation.candidate.overall.iou["roof"].value
    matrix = outputs["confusion_matrix"][0].get_json_value_custom_property("confusionMatrix")
    assert matrix["annotationSpecs"] == [{"displayName": "ground"}, {"displayName": "roof"}]
    assert "version 3 pushed and served" in (Path(outputs["summary"][0].uri) / "summary.md").read_text()


def test_the_lineage_leads_to_the_inputs_wherever_all_of_it_is_moved(artifacts, tmp_path):
    folder = Path(made(tmp_path, artifacts, best=0, worst=0, worst_of_class=0)["lineage"][0].uri)
    moved = Path(shutil.copytree(tmp_path, tmp_path.with_name("moved"))) / folder.name
    found = report_lineage.Lineage.model_validate_json((moved / report_lineage.LINEAGE_FILE).read_text())
    assert found.config["name"] == "sample"
    quarantine = report_lineage.resolved(str(moved), found.artifacts["quarantine"])
    assert quarantine == str(tmp_path.with_name("moved") / "quarantine")
    assert set(found.artifacts) == set(artifacts)


def test_the_serving_check_is_reported_where_there_was_one(artifacts, tmp_path, make_report):
    (tmp_path / "infra_blessing").mkdir()
    (tmp_path / "infra_blessing" / RESULT_FILE).write_text(make_report().serving.model_dump_json())
    blessing = [artifact(standard_artifacts.InfraBlessing, tmp_path / "infra_blessing")]
    text, _ = run({**artifacts, "infra_blessing": blessing}, tmp_path, best=0, worst=0, worst_of_class=0)
    assert "11.6 ms" in text and "99.87 %" in text


def test_without_a_serving_check_nothing_is_said_of_it(artifacts, tmp_path):
    text, _ = run(artifacts, tmp_path, best=0, worst=0, worst_of_class=0)
    assert "Serving check" not in text


def test_other_formats_are_reported_with_their_figures(artifacts, tmp_path):
    folder = tmp_path / "exported" / "Format-Serving"
    (folder / EXPORTS_FILE).parent.mkdir(parents=True)
    (folder / EXPORTS_FILE).write_text(EXPORTS.model_dump_json())
    exported = [artifact(standard_artifacts.Model, tmp_path / "exported")]
    text, _ = run({**artifacts, "exported_model": exported}, tmp_path, best=0, worst=0, worst_of_class=0)
    assert "tflite_int8" in text and "1.2 MB" in text and "99.21 %" in text and "0.0031" in text
    assert "- tflite\\_int8, 40.0 kB" in (tmp_path / "summary_output" / "summary.md").read_text()


def test_without_other_formats_nothing_is_said_of_them(artifacts, tmp_path):
    text, _ = run(artifacts, tmp_path, best=0, worst=0, worst_of_class=0)
    assert "Other formats" not in text


def test_the_path_of_the_page_is_told(artifacts, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="segpipe.progress"):
        _, output = run(artifacts, tmp_path)
    assert caplog.messages[-1] == f"report: {output / 'report.html'}"


def test_only_as_many_pictures_are_scored_as_asked(artifacts, tmp_path):
    text, _ = run(artifacts, tmp_path, scored=3)
    assert "Of 3 images" in text and "scene-4" not in text


def test_no_model_is_loaded_when_no_picture_is_asked_for(artifacts, tmp_path):
    artifacts["model"][0].uri = str(tmp_path / "nowhere")
    text, _ = run(artifacts, tmp_path, best=0, worst=0, worst_of_class=0)
    assert "No image was requested" in text


def test_a_split_without_records_is_not_passed_over(artifacts, tmp_path):
    for file in (tmp_path / "examples" / "Split-test").iterdir():
        file.unlink()
    with pytest.raises(FileNotFoundError, match="Split-test"):
        run(artifacts, tmp_path)


def test_a_run_that_pushed_nothing_is_reported_too(artifacts, tmp_path):
    del artifacts["pushed_model"]
    text, _ = run(artifacts, tmp_path, best=0, worst=0, worst_of_class=0)
    assert "nothing was pushed" in text


def test_the_configuration_and_the_code_are_named(artifacts, tmp_path):
    text, _ = run(artifacts, tmp_path, best=0, worst=0, worst_of_class=0)
    assert "- ground\n" in text and "c0ffee" in text


def test_the_step_is_declared_with_an_optional_push(artifacts):
    channels = {key: as_channel(value) for key, value in artifacts.items()}
    pushed = channels.pop("pushed_model")
    assert set(RunReport(**channels, run_config="{}", code="x").inputs) == set(channels)
    outputs = RunReport(**channels, pushed_model=pushed, run_config="{}", code="x").outputs
    assert set(outputs) == {"report", "metrics", "confusion_matrix", "summary", "lineage"}


def test_the_worst_of_each_class_are_shown_once_in_full(artifacts, tmp_path):
    text, _ = run(artifacts, tmp_path, best=1, worst=1, worst_of_class=2)
    section = text.split('id="worst-by-class"')[1].split("</section>")[0]
    assert re.findall(r'<li><a href="#example-(\d)">', section) == ["5", "4", "5", "4"]
    assert text.count("data:image/jpeg") == 3, "scenes 5, 4 and 0"
    assert "1 of these images in full" in section


def test_the_run_that_wrote_it_is_named(artifacts, tmp_path):
    context = RunContext(("segpipe", "run", "a b.yaml"), [StepUsage(component="Trainer", name="Train", seconds=61.0)])
    with run_context(context):
        text, _ = run(artifacts, tmp_path, best=0, worst=0, worst_of_class=0)
    assert "segpipe run &#39;a b.yaml&#39;" in text
    assert "1 min 01 s" in text.split('id="steps"')[1]


def test_outside_a_run_of_this_machine_the_configuration_is_the_way_back(artifacts, tmp_path):
    text, _ = run(artifacts, tmp_path, best=0, worst=0, worst_of_class=0)
    assert "segpipe run run.yaml" in text and "were run by themselves" in text
