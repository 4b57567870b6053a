"""The whole pipeline, run by its command as a person would.

Every test finds the folder as the first run left it; what it changes there is undone before the next one.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from pipeline.local.run_journal import RunJournal
from pipeline.notebook.run import load_run
from registry.store import Registry
from tests.support.serving import BIRTH
from tests.support.tiny import segpipe, write_use_case

ROOT = Path(__file__).resolve().parents[2]
CACHED = re.compile(r"^✓ (.+) · cached$", re.MULTILINE)
ALL_STEPS = [
    "Ingest pairs",
    "Import schema",
    "Compute statistics",
    "Validate examples",
    "Data gate",
    "Transform",
    "Train",
    "Fetch baseline",
    "Evaluate",
    "Check serving",
    "Push",
    "Write report",
]


@dataclass(frozen=True)
class FirstRun:
    """A run, the folder that holds its data and workspace, and a copy of that folder from when the run had ended."""

    root: Path
    kept: Path
    stdout: str


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """A run of new data with neither a schema nor a registry."""
    root = tmp_path_factory.mktemp("tiny") / "ä b [1] *"
    done = segpipe("run", write_use_case(root))
    assert done.returncode == 0, done.stdout + done.stderr
    kept = tmp_path_factory.mktemp("kept") / "root"
    shutil.copytree(root, kept, symlinks=True)
    return FirstRun(root, kept, done.stdout)


@pytest.fixture
def root(first: FirstRun) -> Iterator[Path]:
    """The folder of the run, as the first run left it."""
    yield first.root
    shutil.rmtree(first.root)
    shutil.copytree(first.kept, first.root, symlinks=True)


@pytest.fixture
def config(root: Path) -> Path:
    return root / "tiny.yaml"


@pytest.fixture
def registry(root: Path) -> Registry:
    return Registry(str(root / "run" / "registry"))


def test_the_first_run_blesses_and_pushes_and_says_that_there_was_no_baseline(first: FirstRun) -> None:
    told = first.stdout
    assert "version 1 pushed and served" in told
    assert re.search(r"^blessed: .*no (baseline|version)", told, re.MULTILINE | re.IGNORECASE)
    assert not CACHED.findall(told)
    assert "/segpipe-" not in told, "the alias of a folder with wildcard characters"


def test_the_first_run_needs_no_second_command(first: FirstRun) -> None:
    told = f"wrote {first.root}/tiny.pbtxt from this data: read it, correct it, and keep it with your code"
    assert told in first.stdout


def test_it_ends_with_steps_classes_slices_and_places(first: FirstRun) -> None:
    for row in (*ALL_STEPS, "all steps", "background", "square", "disc", "mean", "light = dim", "light = bright"):
        assert re.search(rf"^{re.escape(row)} ", first.stdout, re.MULTILINE), row
    report = re.search(r"^report +(\S.*)$", first.stdout, re.MULTILINE)
    log = re.search(r"^log +(\S.*)$", first.stdout, re.MULTILINE)
    assert report and "<html" in Path(report[1]).read_text()
    assert log and "absl" in Path(log[1]).read_text()


def test_epochs_are_told_and_libraries_are_silent(first: FirstRun) -> None:
    assert re.search(r"epoch 12/12: loss .* IoU .*; eval loss .* IoU .*; \d+ ms a step", first.stdout)
    for noise in ("tensorflow", "WARNING", "absl", "oneDNN"):
        assert noise not in first.stdout


def test_a_notebook_reads_the_run(root: Path) -> None:
    run = load_run(root / "run")
    assert (run.name, run.blessed) == ("tiny", True)
    assert len(run.epochs) == 12
    assert run.confusion().to_numpy().sum() == run.class_pixels["test"].sum()
    assert run.confusion("light=dim").to_numpy().sum() < run.confusion().to_numpy().sum()
    assert run.report.is_file()
    with pytest.raises(UserError, match=r"no slice is named 'light=dark'; there are: light=bright, light=dim"):
        run.confusion("light=dark")
    with pytest.raises(UserError, match="calibration was not measured"):
        run.plot_reliability()


def test_the_example_notebook_runs(root: Path) -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    (root / "runs").mkdir()
    (root / "runs" / "sample").symlink_to(root / "run")
    notebook = nbformat.read(ROOT / "docs" / "notebooks" / "look-at-a-run.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "the notebook is kept without outputs"
    done = nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(root)}}).execute()
    shown = [output for cell in done.cells for output in cell.get("outputs", ())]
    assert "('tiny', True," in " ".join(shown[0]["data"]["text/plain"].split())
    assert sum("<iframe" in output.get("data", {}).get("text/html", "") for output in shown) == 2


def test_the_version_has_its_manifest(registry: Registry) -> None:
    manifest = registry.verify(1)
    assert manifest.metrics["mean_iou"] >= 0.5
    assert manifest.config["name"] == "tiny"
    assert {"tfx", "tensorflow", "segpipe"} <= set(manifest.software)


def test_the_version_is_the_model_that_was_served_with_its_warm_up_requests(
    first: FirstRun, registry: Registry
) -> None:
    assert re.search(r"served by the embedded server: 8 images, \d+ ms each .* 4 hostile inputs rejected", first.stdout)
    assert "assets.extra/tf_serving_warmup_requests" in registry.verify(1).files


def test_the_card_of_the_version_says_how_good_it_is(registry: Registry) -> None:
    text = segpipe("card", "--registry", registry.uri).stdout
    assert "# tiny, version 1" in text
    assert f"| Mean IoU | {registry.manifest(1).metrics['mean_iou']:.3f} |" in text


@pytest.mark.slow
def test_a_run_and_its_version_are_the_same_model(root: Path, registry: Registry) -> None:
    page = root / "diff.html"
    done = segpipe("diff", "1", str(root / "run"), "--registry", registry.uri, "--out", str(page))
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("mean_iou ") and "=" not in line]
    assert line.split()[3] == "±0.000"
    assert "No key that affects a model differs." in page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_two_versions_are_compared_on_the_images_of_their_run(root: Path, registry: Registry) -> None:
    page = root / "versions.html"
    done = segpipe("diff", "1", "1", "--registry", registry.uri, "--out", str(page))
    assert done.returncode == 0, done.stderr
    assert "test images)" in done.stdout
    text = page.read_text(encoding="utf-8")
    assert "As recorded when they were pushed" in text and "Where they differ most" in text


def test_the_journal_has_time_and_memory_of_each_step(first: FirstRun, root: Path) -> None:
    path = min((root / "run" / "runs").glob("*.json"))  # Of the first run.
    journal = RunJournal.model_validate_json(path.read_text())
    assert [each.component for each in journal.usage] == [step.component for step in journal.steps]
    assert all(each.megabytes is not None and each.megabytes > 100 for each in journal.usage)
    report = next((root / "run" / "artifacts" / "RunReport" / "report").glob("*/report.html")).read_text("utf-8")
    assert "segpipe run" in report.split('id="provenance"')[1] and "Train</th>" in report.split('id="steps"')[1]


def test_tensorboard_finds_the_training(root: Path) -> None:
    assert list((root / "run" / "artifacts" / "Trainer" / "model_run").glob("*/tensorboard/*/events*"))


@pytest.mark.slow
def test_a_second_run_repeats_what_the_new_version_concerns_and_a_third_nothing(
    config: Path, registry: Registry
) -> None:
    second = segpipe("run", config).stdout
    assert set(ALL_STEPS) - set(CACHED.findall(second)) == {"Fetch baseline", "Evaluate", "Push", "Write report"}
    assert "identical to version 1" in second
    assert [manifest.version for manifest in registry.versions()] == [1]
    assert set(CACHED.findall(segpipe("run", config).stdout)) == set(ALL_STEPS)


@pytest.mark.slow
def test_a_model_that_cannot_be_served_ends_the_run_with_one_sentence(config: Path, registry: Registry) -> None:
    done = segpipe("run", config, "--set", "serving_check.max_milliseconds=0.001")
    assert done.returncode == 1
    assert re.match(r"error: the model cannot be served and is not pushed: the median image takes \d+ ms", done.stderr)
    assert "✗ Check serving" in done.stdout
    assert "✓ Push" not in done.stdout
    assert [manifest.version for manifest in registry.versions()] == [1]


@pytest.mark.slow
def test_images_are_predicted_at_the_end_of_a_run_by_the_served_version(root: Path, config: Path) -> None:
    batch = f"batch_prediction={{source: {{root: '{root}/data/images'}}, out: '{root}/masks/{{version}}'}}"
    for predicted, kept in ((60, 0), (0, 60)):
        told = segpipe("run", config, "--set", batch).stdout
        assert re.search(r"^✓ Predict a batch · [\d.]+ s$", told, re.MULTILINE), told
        there = f", {kept} already there" if kept else ""
        assert f"60 images: {predicted} predicted by version 1 of tiny (" in told
        assert f"){there}\n" in told
    assert len(list((root / "masks" / "1" / "masks").glob("*.mask.png"))) == 60


def test_a_run_that_may_skip_says_that_there_is_nothing_new(config: Path) -> None:
    done = segpipe("run", config, "--set", "when_unchanged=skip")
    assert done.returncode == 0, done.stderr
    assert "those of the served version 1: nothing to do" in done.stdout
    assert "✓" not in done.stdout


@pytest.mark.slow
def test_a_worse_model_is_not_blessed_and_the_served_version_stays(config: Path, registry: Registry) -> None:
    done = segpipe("run", config, "--set", "trainer.epochs=1", "--set", "trainer.learning_rate=0.000001")
    assert done.returncode == 0
    assert re.search("^not blessed", done.stdout, re.MULTILINE)
    assert re.search(r"✗ mean_iou 0\.\d+ on overall is below the threshold", done.stdout)
    assert "version 1 stays" in done.stdout
    assert registry.served() == 1
    assert len(registry.versions()) == 1


def test_predict_writes_masks_and_overlays_upright_and_names_what_is_no_picture(root: Path, registry: Registry) -> None:
    picture, masks = root / "data" / "images" / "0-001.png", root / "masks"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(picture).transpose(Image.Transpose.ROTATE_90).save(root / "turned.png", exif=exif)
    pictures = (picture, root / "turned.png", root / "tiny.yaml")
    done = segpipe("predict", *pictures, "--registry", registry.uri, "--out", masks)
    assert done.returncode == 1
    assert re.search(r"tiny\.yaml: picture refused: it is not a JPEG, PNG, GIF or BMP", done.stdout + done.stderr)
    assert "background" in done.stdout
    mask_HW = np.asarray(Image.open(masks / "0-001.mask.png"))
    truth_HW = np.asarray(Image.open(root / "data" / "masks" / "0-001.png"))
    assert mask_HW.shape == truth_HW.shape
    assert (mask_HW == truth_HW).mean() > 0.9
    assert Image.open(masks / "0-001.overlay.png").size == (48, 40)
    for kind in ("mask", "overlay"):
        turned = np.asarray(Image.open(masks / f"turned.{kind}.png"))
        np.testing.assert_array_equal(turned, np.asarray(Image.open(masks / f"0-001.{kind}.png")))


def test_versions_are_listed_and_a_rollback_serves_one_again(registry: Registry, tmp_path: Path) -> None:
    listed = segpipe("versions", "--registry", registry.uri).stdout.splitlines()
    assert re.match(r" +1 +served +\d{4}-\d\d-\d\d ", listed[1])
    other = shutil.copytree(Path(registry.uri) / "versions" / "1", tmp_path / "other")
    (other / "note.txt").write_text("another content")
    registry.push(str(other), **BIRTH)
    registry.serve(2)
    rolled_back = segpipe("rollback", "1", "--registry", registry.uri)
    assert rolled_back.stdout == "version 1 is served now, instead of 2\n", rolled_back.stderr
    assert registry.served() == 1


@pytest.mark.slow
def test_a_broken_pair_is_quarantined_and_too_many_of_them_stop_the_run(
    root: Path, config: Path, registry: Registry
) -> None:
    (root / "data" / "masks" / "0-003.png").unlink()
    (root / "data" / "images" / "0-005.png").write_bytes(b"no picture")
    checked = segpipe("check", config)
    assert "0-003: missing_mask" in checked.stdout
    assert checked.returncode == 0
    strict = ["--set", "validation.max_quarantined=0.01"]
    assert "the data gate would stop this run" in segpipe("check", config, *strict).stderr
    done = segpipe("run", config, *strict)
    assert done.returncode == 1
    assert re.match(r"error: .*2 of 60", done.stderr)
    assert "✗ Data gate" in done.stdout
    assert "Train" not in done.stdout
    assert registry.served() == 1


@pytest.mark.slow
def test_a_class_that_the_schema_does_not_know_stops_the_run(root: Path, config: Path) -> None:
    schema = root / "tiny.pbtxt"
    schema.write_text(schema.read_text().replace('"disc"', '"triangle"'))
    done = segpipe("run", config)
    assert done.returncode == 1
    assert "mask/classes" in done.stderr
    assert "disc" in done.stderr


def test_the_record_of_a_run_is_there_for_machines_too(root: Path) -> None:
    metrics = sorted((root / "run" / "artifacts" / "SegmentationEvaluator" / "evaluation").glob("*/metrics.json"))
    evaluation = json.loads(metrics[0].read_text())
    assert evaluation["verdict"]["blessed"]
    assert evaluation["candidate"]["overall"]["pictures"] > 5
