"""The whole pipeline from its compiled YAML alone, a pod a step; each test goes on from the one before it.

First between rules written by hand, then between Kubeflow Pipelines' own driver and launcher, then on the pods of a
Kubernetes by these and Argo's controller.
"""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.evaluator.results import Evaluation
from components.evaluator.thresholds import OVERALL_METRICS
from pipeline.config.run_config import load_config
from pipeline.kubeflow.compile.compiler import compile_pipeline
from registry.store import Registry
from tests.kubeflow.emulator import Backend
from tests.kubeflow.installation import BY_HAND, INSTALLED, ON_PODS, Installation, backend
from tests.kubeflow.pods import isolation
from tests.kubeflow.store import CACHED, COMPLETE, FAILED, NOT_TRIGGERED
from tests.kubeflow.workflow import PipelineRun
from tests.support.cluster import HOST
from tests.support.tiny import segpipe, write_data, write_use_case

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(isolation() is None, reason="pods need mount namespaces, or a / that can be written"),
]

DATA_STEPS = {"image-mask-example-gen", "statistics-gen", "schema-importer", "example-validator", "data-gate"}
MODEL_STEPS = {"transform", "trainer", "serving-check"}
RELEASE_STEPS = {"baseline", "segmentation-evaluator", "registry-pusher", "run-report"}
ON_CLUSTER = [
    "workspace=null",
    "data.source.root=data",
    "registry=registry",
    "trainer.epochs=6",
    "report.scored=0",
    "kubeflow.steps={default: {retries: 0}}",
    "kubeflow.webhook={secret: webhook, key: url}",
]
BAD_DATA, BROKEN_DATA = ({"data_root": f"/mnt/segpipe/{name}"} for name in ("bad", "broken"))
WORSE = [
    "trainer.epochs=1",
    "trainer.learning_rate=0.000001",
    "evaluator.thresholds=[{metric: mean_iou, may_drop: 0.02}]",
]


@pytest.fixture(scope="module", params=[BY_HAND, INSTALLED, ON_PODS])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def volume(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The claim that stands for the folder that the command runs in; another one for each kind of backend."""
    del kind
    return tmp_path_factory.mktemp("volume")


@pytest.fixture(scope="module")
def config(volume: Path) -> Path:
    path = write_use_case(volume)
    assert segpipe("schema", "infer", path).returncode == 0
    return path


@pytest.fixture(scope="module")
def told(kind: str) -> Iterator[list[dict[str, Any]]]:
    """What the webhook was told; the first entry is its address."""
    messages: list[dict[str, Any]] = []

    class Webhook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("", 0), Webhook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = HOST if kind == ON_PODS else "127.0.0.1"
        messages.append({"address": f"http://{here}:{server.server_port}/secret"})
        yield messages
        server.shutdown()


@pytest.fixture(scope="module")
def there(
    kind: str, volume: Path, told: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend | Installation]:
    secrets = {"webhook": {"url": told[0]["address"]}}
    with backend(kind, tmp_path_factory.mktemp("bucket"), claims={"segpipe": volume}, secrets=secrets) as opened:
        yield opened


@pytest.fixture(scope="module")
def first(there: Backend | Installation, config: Path) -> PipelineRun:
    return there.run(compile_pipeline(load_config(config, [*ON_CLUSTER, "when_unchanged=skip"])))


def logs(run: PipelineRun) -> str:
    return "\n".join(f"== {task.name}: {task.state}\n{task.log}" for task in run.tasks.values())


def tells(there: Backend | Installation, message: dict[str, Any], why: str) -> bool:
    """Whether the webhook was told of a failure, and why where the notifying step can ask the pipelines' API."""
    can_ask = getattr(there, "api", None) is not None
    return "failed" in message["text"] and (why in message["text"] or not can_ask)


def test_the_first_run_finds_no_baseline_and_pushes(first: PipelineRun, volume: Path) -> None:
    assert first.succeeded, logs(first)
    assert first.in_state(COMPLETE) == {"survey", "notify", *DATA_STEPS, *MODEL_STEPS, *RELEASE_STEPS}
    assert first.tasks["baseline"].last_line == "no baseline: nothing is served yet"
    assert "blessed: yes" in first.tasks["segmentation-evaluator"].log
    assert first.tasks["registry-pusher"].last_line == "version 1 pushed and served"
    assert Registry(str(volume / "registry")).verify(1).model_name == "tiny"


def test_every_artifact_lies_below_the_runs_root(first: PipelineRun, there: Backend | Installation) -> None:
    for artifact in there.store.artifacts.values():
        assert artifact.uri.startswith(f"{first.root}/")
        for kind, value in artifact.properties.values():
            assert not (kind == "string" and "/minio/" in value)
    assert "minio://" in str(there.store.artifacts)


def test_the_dashboard_has_something_to_show(first: PipelineRun, there: Backend | Installation, volume: Path) -> None:
    report = first.tasks["run-report"].execution
    assert report is not None
    shown = {name: there.store.artifacts[identity] for name, identity in report.artifacts.items()}
    assert {name: artifact.type for name, artifact in shown.items() if name != "executor-logs"} == {
        "report": "system.HTML",
        "metrics": "system.Metrics",
        "confusion_matrix": "system.ClassificationMetrics",
        "summary": "system.Markdown",
        "lineage": "segpipe.Lineage",
    }
    assert there.store.folder(shown["report"].uri).read_text().startswith("<!doctype html>")
    summary = there.store.folder(shown["summary"].uri).read_text()
    assert "version 1 pushed and served" in summary and "hostile inputs rejected" in summary
    metrics = Registry(str(volume / "registry")).verify(1).metrics
    rows = {name: value for name, (kind, value) in shown["metrics"].properties.items() if kind == "double"}
    evaluation = Evaluation.model_validate_json((there.store.folder(shown["metrics"].uri) / "metrics.json").read_text())
    constant = {f"one_class_everywhere/{name}": evaluation.constant_prediction[name] for name in OVERALL_METRICS}
    assert rows == pytest.approx(metrics | constant)
    matrix = shown["confusion_matrix"].properties["confusionMatrix"][1]["struct"]
    assert [row["row"] for row in matrix["rows"]] == [list(row) for row in evaluation.candidate.overall.confusion]


def test_the_webhook_is_told(first: PipelineRun, told: list[dict[str, Any]]) -> None:
    del first
    assert "ended well" in told[1]["text"]


def test_an_unchanged_run_is_skipped(first: PipelineRun, there: Backend | Installation, config: Path) -> None:
    del first
    run = there.run(compile_pipeline(load_config(config, [*ON_CLUSTER, "when_unchanged=skip"])))
    assert run.succeeded, logs(run)
    assert run.in_state(COMPLETE) == {"survey", "notify"} and run.in_state(NOT_TRIGGERED) == {"retrain"}
    assert run.tasks["survey"].last_line == "data and configuration are those of that version"


def test_bad_data_fails_the_run_with_one_line_and_the_webhook_is_told(
    first: PipelineRun, there: Backend | Installation, config: Path, volume: Path, told: list[dict[str, Any]]
) -> None:
    del first
    write_data(volume / "bad", pairs=3)
    for image in (volume / "bad" / "images").iterdir():
        image.write_bytes(b"no picture")
    run = there.run(compile_pipeline(load_config(config, ON_CLUSTER)), BAD_DATA)
    assert not run.succeeded
    assert run.in_state(FAILED) == {"image-mask-example-gen"}
    failed = run.tasks["image-mask-example-gen"]
    assert failed.status == 1
    assert failed.last_line.startswith("error: no usable pair among 3; first failure: images/0-000:")
    assert "Traceback" not in failed.log
    assert not run.in_state(COMPLETE) & {*MODEL_STEPS, *RELEASE_STEPS}
    assert run.tasks["notify"].state == COMPLETE
    assert tells(there, told[-1], "Ingest pairs: no usable pair among 3"), told[-1]


def test_data_of_which_a_third_is_broken_is_stopped_by_the_data_gate(
    first: PipelineRun, there: Backend | Installation, config: Path, volume: Path, told: list[dict[str, Any]]
) -> None:
    del first
    write_data(volume / "broken")
    for image in sorted((volume / "broken" / "images").iterdir())[::3]:
        image.write_bytes(b"no picture")
    run = there.run(compile_pipeline(load_config(config, ON_CLUSTER)), BROKEN_DATA)
    assert not run.succeeded
    assert run.in_state(FAILED) == {"data-gate"}
    why = "20 of 60 pairs are quarantined: 33.3%"
    assert why in run.tasks["data-gate"].log and "Traceback" not in run.tasks["data-gate"].log
    assert not run.in_state(COMPLETE) & {*MODEL_STEPS, *RELEASE_STEPS}
    assert tells(there, told[-1], why), told[-1]


def test_a_second_run_finds_the_baseline_and_is_cached_where_the_backend_caches(
    first: PipelineRun, there: Backend | Installation, config: Path, volume: Path
) -> None:
    run = there.run(compile_pipeline(load_config(config, ON_CLUSTER)))
    assert run.succeeded, logs(run)
    assert run.in_state(CACHED) == {*DATA_STEPS, *MODEL_STEPS}
    assert run.in_state(COMPLETE) == {"survey", "notify", *RELEASE_STEPS}
    assert run.tasks["baseline"].last_line == "baseline: version 1"
    assert "identical to version 1" in str(_summary(run, there))
    assert [manifest.version for manifest in Registry(str(volume / "registry")).versions()] == [1]
    assert run.root != first.root


def test_a_model_that_is_worse_than_the_served_one_is_not_pushed(
    first: PipelineRun, there: Backend | Installation, config: Path, volume: Path
) -> None:
    del first
    run = there.run(compile_pipeline(load_config(config, [*ON_CLUSTER, *WORSE])))
    assert run.succeeded, logs(run)
    # The baseline is cached where a run before this one has fetched the same version.
    assert run.in_state(CACHED) - {"baseline"} == {*DATA_STEPS, "transform"}
    assert "blessed: no: mean_iou" in run.tasks["segmentation-evaluator"].log
    pushing = run.tasks["registry-pusher"].last_line
    assert pushing.startswith("not blessed (mean_iou") and pushing.endswith("version 1 stays"), pushing
    assert [manifest.version for manifest in Registry(str(volume / "registry")).versions()] == [1]


def test_two_runs_are_compared_by_their_files(
    first: PipelineRun, there: Backend | Installation, config: Path, tmp_path: Path
) -> None:
    """The second run has its data, and nothing of it among its own files: they are those of the first."""
    other = there.run(compile_pipeline(load_config(config, [*ON_CLUSTER, *WORSE, "trainer.learning_rate=0.000002"])))
    assert other.succeeded, logs(other)
    folders = [there.store.folder(run.root) for run in (first, other)]
    assert not (folders[1] / "image-mask-example-gen").exists()
    page = tmp_path / "diff.html"
    done = segpipe("diff", *map(str, folders), "--out", str(page))
    assert done.returncode == 0, done.stderr
    assert "trainer.learning_rate: " in done.stdout and "pairs added" not in done.stdout
    assert re.search(r"^mean_iou +0\.\d+ +0\.\d+ +−", done.stdout, re.MULTILINE), done.stdout
    assert "Where they differ most" in page.read_text()
    root = folders[0].parent.parent
    by_id = segpipe("diff", first.id, other.id, "--root", str(root), "--out", str(page))
    assert by_id.returncode == 0, by_id.stderr
    unfinished = next(folder for folder in folders[0].parent.iterdir() if not (folder / "run-report").exists())
    refused = segpipe("diff", str(unfinished), str(folders[1]), "--out", str(page))
    assert refused.returncode == 1 and "is not a finished run: it has no run-report" in refused.stderr, refused.stderr


def test_new_pictures_in_the_manifest_are_trained_on_from_the_weights_that_are_served(
    first: PipelineRun, there: Backend | Installation, config: Path, volume: Path
) -> None:
    del first
    index = volume / "data" / "index.csv"
    before = index.read_text()
    write_data(volume / "data", pairs=10, seed=1)
    index.write_text(before + index.read_text().partition("\n")[2])
    retraining = [*ON_CLUSTER, "when_unchanged=skip", "trainer.warm_start=blessed", "trainer.epochs=2"]
    run = there.run(compile_pipeline(load_config(config, retraining)))
    assert run.succeeded, logs(run)
    assert "a training is due" in run.tasks["survey"].log
    assert run.tasks["image-mask-example-gen"].state == run.tasks["trainer"].state == COMPLETE
    assert "weights from minio://" in run.tasks["trainer"].log


def _summary(run: PipelineRun, there: Backend | Installation) -> str:
    report = run.tasks["run-report"].execution
    assert report is not None
    return there.store.folder(there.store.artifacts[report.artifacts["summary"]].uri).read_text()
