"""Two models compared on the same records, and the page that shows it."""

from __future__ import annotations

import dataclasses
import html.parser
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common.errors import UserError
from common.records import IMAGE_ENCODED, IMAGE_ID, MASK_ENCODED
from components.evaluator.results import Estimate
from components.trainer.history import Epoch, TrainingHistory
from pipeline.comparison.comparison import Comparison, compare
from pipeline.comparison.page import comparison_page
from pipeline.comparison.recorded import recorded_figures
from pipeline.comparison.side import OVERALL, RunResults, Side, VersionRecord
from tests.support.histories import training_history
from tests.support.serving import CLASS_NAMES, export_tiny, picture

HOSTILE = "<img src=x onerror=alert(1)>"


def history(*scores: float) -> TrainingHistory:
    return training_history(
        [
            Epoch(epoch=n, seconds=1, milliseconds_per_step=1, learning_rate=1, metrics={"val_mean_iou": score})
            for n, score in enumerate(scores, 1)
        ]
    )


def records(folder: Path, number: int) -> Path:
    """A test split whose truth is class 1, with a strip of class 0 that grows from image to image."""
    (folder / "Split-test").mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "Split-test" / "data_tfrecord-00000-of-00001")) as writer:
        for index in range(number):
            mask_HW = np.ones([40, 56], np.uint8)
            mask_HW[: 2 * index] = 0
            out = io.BytesIO()
            Image.fromarray(mask_HW).save(out, "PNG")
            values = {
                IMAGE_ID: f"{HOSTILE}{index}".encode(),
                IMAGE_ENCODED: picture(),
                MASK_ENCODED: out.getvalue(),
                "slice/half": str(index % 2).encode(),
            }
            features = {k: tf.train.Feature(bytes_list=tf.train.BytesList(value=[v])) for k, v in values.items()}
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Models that find class 1, and class 2, everywhere."""
    folders = [str(tmp_path_factory.mktemp("model") / "new") for _ in range(2)]
    for label, folder in enumerate(folders, 1):
        export_tiny(label, folder, mode="resize")
    return folders


def side(label: str, model: str, run: RunResults | None = None, **config: Any) -> Side:
    return Side(label, {"data": {"classes": list(CLASS_NAMES)}, **config}, model, "f", run)


@pytest.fixture(scope="module")
def found(models: list[str], tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """The model that is wrong everywhere, compared with the one that is nearly right, on four of five images."""
    run = RunResults(records(tmp_path_factory.mktemp("records"), 5), (history(0.5, 0.9),))
    worse = side(HOSTILE, models[1], RunResults(run.examples, (history(0.1),)))
    return compare(worse, side("b", models[0], run, seed=2), images=4, shown=2, report=lambda _: None)


def test_both_are_judged_on_the_same_images(found: Comparison) -> None:
    assert (found.judged, found.available, found.known) == (4, 5, 0)
    overall = {each.metric: each for each in found.metrics[OVERALL]}
    assert overall["iou/roof"].a == 0
    assert overall["iou/roof"].b == pytest.approx(1 - (2 + 4 + 6) / 160, abs=1e-6)
    assert overall["mean_iou"].is_clear
    assert set(found.metrics) == {OVERALL, "half=0", "half=1"}


def test_settings_and_data_are_compared(found: Comparison) -> None:
    assert [setting.key for setting in found.settings] == ["seed"]
    assert found.data is not None
    assert found.data.total == 0


def test_the_most_different_image_is_the_one_with_most_of_the_class(found: Comparison) -> None:
    assert [image.id for image in found.images] == [f"{HOSTILE}0", f"{HOSTILE}1"]
    assert (found.images[0].a_right, found.images[0].b_right) == (0, 1)


def test_the_page_needs_nothing_else_and_no_text_is_markup(found: Comparison) -> None:
    tags: list[tuple[str, dict[str, str | None]]] = []

    class Tags(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            tags.append((tag, dict(attrs)))

    Tags().feed(comparison_page(found))
    assert {tag for tag, _ in tags}.isdisjoint({"script", "link", "iframe", "a"})
    images = [attributes for tag, attributes in tags if tag == "img"]
    assert len(images) == 10
    assert all(str(each["src"]).startswith("data:image/") and "onerror" not in each for each in images)


def test_the_curves_of_both_trainings_are_in_one_chart(found: Comparison) -> None:
    assert comparison_page(found).count('class="curve ') == 2


@pytest.mark.parametrize(
    ("a", "b", "sentence"),
    [
        (
            side("a", "m", data={"classes": ["x", "y"]}),
            side("b", "m", RunResults(Path("r"), (history(0.1),))),
            "the classes differ, so metrics cannot be compared: x, y in a, ground, roof, tree, wäter in b",
        ),
    ],
)
def test_what_cannot_be_compared_is_said(a: Side, b: Side, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        compare(a, b, images=1, shown=1, report=lambda _: None)


def version(label: str, iou: float, **config: Any) -> Side:
    figures = {
        ("mean_iou", OVERALL): Estimate(value=iou, low=iou - 0.1, high=iou + 0.1),
        ("mean_iou", "light=night"): Estimate(value=iou - 0.2),
        (f"iou/{HOSTILE}", OVERALL): Estimate(value=iou),
    }
    record = VersionRecord(figures, (Path("/a workspace"),))
    return dataclasses.replace(side(label, "m", **config), version=record)


def test_versions_whose_images_are_gone_are_compared_by_what_the_registry_holds() -> None:
    found = compare(version("version 1", 0.5), version("version 2", 0.75, seed=2), 1, 1, report=lambda _: None)
    assert found.judged == 0 and not found.images and not found.metrics[OVERALL]
    assert [setting.key for setting in found.settings] == ["seed"]
    first = found.recorded[0]
    assert (first.metric, first.place, first.change, first.a.low) == ("mean_iou", OVERALL, 0.25, 0.4)
    text = comparison_page(found)
    assert "were not run again" in text and "/a workspace" in text and "made from the same data" in text
    assert "+0.250" in text and "light=night" in text and "<img" not in text


def test_sides_of_different_pipelines_are_compared_with_a_note() -> None:
    a, b = version("version 1", 0.5, name="roofs"), version("version 1", 0.6, name="trees")
    found = compare(a, b, 1, 1, report=lambda _: None)
    assert found.other_pipelines == "A is of the pipeline roofs, B of the pipeline trees"
    assert found.other_pipelines in comparison_page(found)
    assert not compare(a, a, 1, 1, report=lambda _: None).other_pipelines


def test_a_figure_that_one_version_lacks_has_no_change() -> None:
    other = version("version 2", 0.75)
    assert other.version is not None
    fewer = {key: value for key, value in other.version.figures.items() if key[0] == "mean_iou"}
    lacking = dataclasses.replace(other, version=VersionRecord(fewer, ()))
    last = recorded_figures(version("version 1", 0.5), lacking)[1]
    assert (last.metric, last.b.value, last.change) == (f"iou/{HOSTILE}", None, None)
