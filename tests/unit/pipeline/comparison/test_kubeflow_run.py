"""A run of Kubeflow is found by the files that its tasks have left, in a folder or in a bucket."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from common.errors import UserError
from components import component_keys as keys
from components.example_gen.quarantine import SUMMARY_FILE, IngestionSummary
from components.report.lineage import LINEAGE_FILE, lineage
from components.trainer.history import HISTORY_FILE, Epoch
from pipeline.comparison.kubeflow_run import find_run, kubeflow_side, readable
from pipeline.comparison.side import SAVED_MODEL
from tests.support.histories import training_history

EARLIER, LATER = "1f0c", "2a9b"
CONFIG = {"name": "tiny", "data": {"classes": ["ground", "roof"]}}


class Root:
    """A pipeline root of two runs, the later of which has trained on the data of the earlier one."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.examples = self.write(EARLIER, "image-mask-example-gen", keys.EXAMPLES, "Split-test/data-00000", "records")
        summary = IngestionSummary(
            data_fingerprint="f00d",
            classes=("ground", "roof"),
            found=1,
            used={"test": 1},
            quarantined={},
            class_pixels={},
            class_pictures={},
            void_pixels={},
        ).model_dump_json()
        quarantine = self.write(EARLIER, "image-mask-example-gen", keys.QUARANTINE, SUMMARY_FILE, summary)
        self.write(EARLIER, "image-mask-example-gen", keys.QUARANTINE, "quarantine.jsonl", "")
        model = self.write(LATER, "trainer", keys.MODEL, f"{SAVED_MODEL}/saved_model.pb", "graph")
        self.write(LATER, "trainer", keys.MODEL, "Format-Other/large", "x" * 1000)
        epoch = Epoch(epoch=1, seconds=1, milliseconds_per_step=1, learning_rate=1, metrics={"val_mean_iou": 0.5})
        history = training_history([epoch]).model_dump_json()
        model_run = self.write(LATER, "trainer", keys.MODEL_RUN, HISTORY_FILE, history)
        self.write(LATER, "trainer", keys.MODEL_RUN, "tensorboard/train/events", "x")
        self.artifacts = {
            keys.EXAMPLES: self.examples,
            keys.QUARANTINE: quarantine,
            keys.MODEL: model,
            keys.MODEL_RUN: model_run,
        }

    def run(self, run_id: str) -> str:
        return f"{self.uri}/tiny/{run_id}"

    def write(self, run_id: str, task: str, key: str, file: str, text: str) -> str:
        """Writes a file of an artifact; returns the artifact's folder."""
        folder = f"{self.run(run_id)}/{task}/{task}-uuid/{key}"
        with fsspec.open(f"{folder}/{file}", "w", auto_mkdir=True) as opened:
            opened.write(text)
        return folder

    def finish(self) -> None:
        """Writes the later run's lineage as its pod does, to which the bucket is another folder."""
        folder = f"{self.run(LATER)}/run-report/run-report-uuid/{keys.LINEAGE}"
        in_pod = {key: uri.replace(self.uri, "/minio/mlpipeline/v2") for key, uri in self.artifacts.items()}
        text = lineage(CONFIG, in_pod, folder.replace(self.uri, "/minio/mlpipeline/v2")).model_dump_json()
        self.write(LATER, "run-report", keys.LINEAGE, LINEAGE_FILE, text)


@pytest.fixture(params=["a folder", "a bucket"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Root:
    return Root(str(tmp_path / "root") if request.param == "a folder" else f"memory://bucket-{uuid.uuid4().hex}/root")


@pytest.fixture
def finished(root: Root) -> Root:
    root.finish()
    return root


def quiet(_: str) -> None:
    pass


def test_a_run_has_its_model_and_the_data_of_the_run_before_it(finished: Root, tmp_path: Path) -> None:
    side = kubeflow_side(finished.run(LATER), tmp_path / "copy", quiet)
    assert (side.label, side.pipeline, side.fingerprint) == (finished.run(LATER), "tiny", "f00d")
    assert side.classes == ("ground", "roof")
    assert (Path(side.model) / "saved_model.pb").read_text() == "graph"
    assert side.run is not None
    assert (side.run.examples / "Split-test" / "data-00000").read_text() == "records"
    assert side.run.histories[0].epochs[0].metrics == {"val_mean_iou": 0.5}


def test_of_a_bucket_only_what_is_read_is_copied(tmp_path: Path) -> None:
    root = Root(f"memory://bucket-{uuid.uuid4().hex}/root")
    root.finish()
    told: list[str] = []
    kubeflow_side(root.run(LATER), tmp_path, told.append)
    copied = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert copied == {
        "examples/Split-test/data-00000",
        f"model/{SAVED_MODEL}/saved_model.pb",
        f"model_run/{HISTORY_FILE}",
        f"quarantine/{SUMMARY_FILE}",
    }
    assert told[0] == "copying 1 file of examples"


def test_a_run_is_found_by_its_id(finished: Root) -> None:
    assert find_run(finished.uri, LATER) == finished.run(LATER)
    with pytest.raises(UserError, match=r"has no run 77; check --root"):
        find_run(finished.uri, "77")


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        (lambda root: root.run("nobody"), r"has no files; the address of a run is PIPELINE_ROOT/PIPELINE/RUN_ID"),
        (
            lambda root: root.run(LATER),
            r"is not a finished run: it has no run-report, only trainer; the run has failed",
        ),
        (lambda root: root.run(EARLIER), r"only image-mask-example-gen;"),
    ],
)
def test_a_run_that_did_not_finish_is_one_sentence(
    root: Root, tmp_path: Path, address: Callable[[Root], str], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        kubeflow_side(address(root), tmp_path / "copy", quiet)


def test_a_report_without_lineage_is_that_of_an_older_version(root: Root, tmp_path: Path) -> None:
    root.write(LATER, "run-report", keys.METRICS, "metrics.json", "{}")
    with pytest.raises(UserError, match=r"older version of segpipe .* compare the versions that the runs pushed"):
        kubeflow_side(root.run(LATER), tmp_path / "copy", quiet)


def test_files_of_an_earlier_run_that_were_deleted_are_named(finished: Root, tmp_path: Path) -> None:
    storage, path = fsspec.core.url_to_fs(finished.examples)
    storage.rm(path, recursive=True)
    with pytest.raises(UserError, match=r"the artifact examples of .* is gone: .*/1f0c/image-mask-example-gen/"):
        kubeflow_side(finished.run(LATER), tmp_path / "copy", quiet)


def test_the_cluster_s_own_store_is_read_as_s3() -> None:
    assert readable("minio://mlpipeline/v2") == "s3://mlpipeline/v2"
    assert readable("gs://bucket/v2") == "gs://bucket/v2"
