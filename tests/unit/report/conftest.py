"""Runs made up for the report: their parts are the real types, only the figures are invented."""

from __future__ import annotations

import dataclasses
import datetime
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common import records
from common.confusion import confusion_counts_BCC
from components.cross_validator.result import CrossValidation, FoldResult
from components.data_gate.result import Finding, GateReport
from components.evaluator import counts
from components.evaluator.results import Check, Estimate, Evaluation, Measured, SliceMetrics, Verdict
from components.example_gen.quarantine import IngestionSummary, Quarantined, Reason
from components.pusher.result import PushResult
from components.report import shown_predictions
from components.report.data import ReportData, ShownPrediction
from components.serving_check.result import ServingCheckResult
from components.trainer.history import Epoch, TrainingHistory
from tests.support.histories import training_history

SIZE = 16


@dataclasses.dataclass(frozen=True)
class Scene:
    """A grey picture of SIZE², its mask, and its slices."""

    id: str
    image_HW: np.ndarray
    mask_HW: np.ndarray
    slices: dict[str, str] = dataclasses.field(default_factory=dict)


class BrightnessModel(tf.Module):
    """Predicts class 1 where a picture is bright."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
    def serving_default(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        masks = tf.map_fn(
            lambda one: tf.io.encode_png(tf.cast(tf.io.decode_png(one, channels=1) > 127, tf.uint8)),
            image,
            fn_output_signature=tf.string,
        )
        return {"mask_bytes": masks}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def evaluate(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        features = {n: tf.io.FixedLenFeature([], tf.string) for n in (records.IMAGE_ENCODED, records.MASK_ENCODED)}
        parsed = tf.io.parse_example(examples, features)
        prediction_BHW = tf.cast(_decoded(parsed[records.IMAGE_ENCODED]) > 127, tf.uint8)
        counted = confusion_counts_BCC(_decoded(parsed[records.MASK_ENCODED]), prediction_BHW, 2)
        return {"confusion": tf.reshape(counted, [-1, 4])}


def _decoded(encoded_B: tf.Tensor) -> tf.Tensor:
    def decode(png: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.io.decode_png(png, channels=1), [SIZE, SIZE, 1])[..., 0]

    return tf.map_fn(decode, encoded_B, fn_output_signature=tf.uint8)


def _png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def png() -> Callable[[np.ndarray], bytes]:
    return _png


@pytest.fixture
def scene() -> type[Scene]:
    return Scene


@pytest.fixture
def write_split() -> Callable[[Path, list[Scene]], None]:
    """Writes scenes as an Examples artifact holds a split."""

    def write(folder: Path, scenes: list[Scene]) -> None:
        folder.mkdir(parents=True)
        with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001")) as writer:
            for one in scenes:
                values = {
                    records.IMAGE_ENCODED: _png(one.image_HW),
                    records.MASK_ENCODED: _png(one.mask_HW),
                    records.IMAGE_ID: one.id.encode(),
                    **{records.slice_feature(name): value.encode() for name, value in one.slices.items()},
                }
                feature = {k: tf.train.Feature(bytes_list=tf.train.BytesList(value=[v])) for k, v in values.items()}
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())

    return write


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Model artifact's folder with a `BrightnessModel`."""
    folder = tmp_path_factory.mktemp("model")
    model = BrightnessModel()
    signatures = {name: getattr(model, name).get_concrete_function() for name in ("serving_default", "evaluate")}
    tf.saved_model.save(model, str(folder / "Format-Serving"), signatures=signatures)
    return folder


@pytest.fixture
def cross_validation() -> CrossValidation:
    """Two folds, of 40 and 41 images."""
    classes = ("ground", "roof")
    folds = [_metrics(np.array([[900, 100], [50, 400 + 50 * i]]), classes, pictures=40 + i) for i in range(2)]
    results = [FoldResult(fold=i, metrics=one, history=_history(4)) for i, one in enumerate(folds, 1)]
    pooled = _metrics(np.array([[1800, 200], [100, 850]]), classes, pictures=81)
    return CrossValidation(classes=classes, folds=tuple(results), pooled=pooled)


@pytest.fixture
def make_report() -> Callable[..., ReportData]:
    """A run with the classes that are given; every further argument replaces a part of it."""
    return _report


def _report(classes: tuple[str, ...] = ("ground", "roof"), epochs: int = 5, **parts: object) -> ReportData:
    data = ReportData(
        name="sample",
        created=datetime.datetime(2026, 11, 20, 18, 12, tzinfo=datetime.timezone.utc),
        ingestion=_ingestion(classes),
        quarantined=(Quarantined(id="a17", image="images/a17.png", reason=Reason.MISSING_MASK, detail="no mask a17"),),
        gate=GateReport(passed=True, findings=(Finding(check="size", split="train", passed=True, detail="80 pairs"),)),
        trainings=(_history(epochs),),
        evaluation=_evaluation(classes),
        serving=ServingCheckResult(
            engine="the embedded server",
            pictures=8,
            agreement=0.9987,
            milliseconds=11.6,
            rest_milliseconds=12.9,
            megabytes=212.4,
            refused=("nothing", "a text"),
            warmup_requests=4,
        ),
        push=PushResult(pushed=True, version=3, served=3, registry="registry", note="version 3 pushed and served"),
        best=(),
        worst=(_picture(),),
        scored=10,
        config="name: sample\n",
        software={"tensorflow": "2.16.2"},
    )
    return dataclasses.replace(data, **parts)  # type: ignore[arg-type]


def _ingestion(classes: tuple[str, ...]) -> IngestionSummary:
    pixels = tuple(10 ** (8 - index % 7) if index % 5 != 4 else 0 for index in range(len(classes)))
    of_splits = dict.fromkeys(records.SPLITS, pixels)
    return IngestionSummary(
        data_fingerprint="0123456789abcdef",
        classes=classes,
        found=102,
        used={"train": 80, "eval": 10, "test": 10},
        quarantined={"missing_mask": 2},
        strays=1,
        class_pixels=of_splits,
        class_pictures={split: tuple(min(value, 10) for value in pixels) for split in records.SPLITS},
        void_pixels={"train": 5, "eval": 0, "test": 0},
        slices={"light": {"day": 70, "night": 30}},
    )


def _history(epochs: int) -> TrainingHistory:
    course = [
        Epoch(
            epoch=e,
            seconds=1.0,
            milliseconds_per_step=212.0,
            learning_rate=1e-3,
            metrics={"loss": 1 / e, "val_loss": 1.1 / e, "mean_iou": 1 - 0.5 / e, "val_mean_iou": 1 - 0.6 / e},
        )
        for e in range(1, epochs + 1)
    ]
    return training_history(
        course,
        best_epoch=epochs,
        parameters=1_942_273,
        seconds=74.2,
        milliseconds_per_step=212.0,
        train_pictures=80,
        eval_pictures=10,
    )


def _estimate(value: float) -> Estimate:
    if np.isnan(value):
        return Estimate(value=None)
    return Estimate(value=value, low=max(0.0, value - 0.05), high=min(1.0, value + 0.05))


def _metrics(confusion_CC: np.ndarray, classes: tuple[str, ...], pictures: int = 10, **where: object) -> SliceMetrics:
    named = {name: _estimate(value) for name, value in counts.named_metrics(confusion_CC, classes).items()}
    return SliceMetrics(
        pictures=pictures,
        mean_iou=named["mean_iou"],
        mean_dice=named["mean_dice"],
        pixel_accuracy=named["pixel_accuracy"],
        iou={name: named[f"iou/{name}"] for name in classes},
        dice={name: named[f"dice/{name}"] for name in classes},
        confusion=tuple(tuple(int(value) for value in row) for row in confusion_CC),
        **where,  # type: ignore[arg-type]
    )


def _measured(classes: tuple[str, ...], right: int) -> Measured:
    confusion_CC = np.full((len(classes), len(classes)), 10) + np.eye(len(classes), dtype=int) * right
    if len(classes) > 4:
        confusion_CC[-1], confusion_CC[:, -1] = 0, 0  # the last class does not occur
    slices = (_metrics(confusion_CC, classes, column="light", value="night"),)
    return Measured(overall=_metrics(confusion_CC, classes), slices=slices)


def _evaluation(classes: tuple[str, ...]) -> Evaluation:
    kept = Check(
        metric="mean_iou", slice="overall", kind="at_least", value=0.8, bound=0.5, passed=True, detail="mean_iou holds"
    )
    return Evaluation(
        split="test",
        classes=classes,
        candidate=_measured(classes, 200),
        baseline=_measured(classes, 150),
        verdict=Verdict(blessed=True, baseline_version=2, note="No worse than version 2.", checks=(kept,)),
    )


def _picture() -> ShownPrediction:
    truth_HW = np.zeros((24, 32), np.uint8)
    truth_HW[4:12, 4:12] = 1
    prediction_HW = np.roll(truth_HW, 2, axis=0)
    scored = shown_predictions.score(0, counts.confusion_counts(truth_HW, prediction_HW, 2))
    assert scored is not None
    image = np.random.default_rng(0).integers(0, 255, (24, 32, 3))
    return shown_predictions.draw(
        "scene-1", {"light": "night"}, scored, _png(image), _png(truth_HW), _png(prediction_HW), 32, 50_000
    )
