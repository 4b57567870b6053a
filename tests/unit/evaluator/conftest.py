"""Small models and records that need no training: a model that thresholds a grey picture into bands."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import artifact, standard_artifacts

from common import records
from common.confusion import confusion_counts_BCC
from common.reliability import reliability_sums
from components.artifacts import CrossValidationResult
from components.cross_validator import executor as cross_validator
from components.cross_validator.result import CROSS_VALIDATION_FILE, CrossValidation
from components.evaluator import executor
from components.evaluator.config import EvaluatorConfig
from components.evaluator.counts import confusion_counts
from components.evaluator.results import RESULTS_FILE, Evaluation
from components.trainer.history import HISTORY_FILE, TrainingHistory
from tests.support.histories import training_history

SIZE = 16
CLASSES = ("ground", "water", "roof")
GOOD, WORSE = (75, 150), (110, 150)
"""Levels of a model that finds the bands, and of one that takes much water for ground."""

HISTORY = training_history(best_epoch=3)


@dataclasses.dataclass(frozen=True)
class Picture:
    """A grey picture, its mask and its slices."""

    image_HW: np.ndarray
    mask_HW: np.ndarray
    name: str = "picture"
    slices: dict[str, str] = dataclasses.field(default_factory=dict)


class BandModel(tf.Module):
    """Predicts class k where the grey value is at least the k-th level, and counts one row and column of `every`.

    Its confidence is made up: it follows the grey value, see `confidence`.
    """

    def __init__(self, levels: tuple[int, ...], every: int = 1) -> None:
        super().__init__()
        self.levels = tf.Variable(levels, dtype=tf.int32)
        self.every = every

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False)
    def evaluate(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"confusion": self._compared(examples)[0]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False)
    def evaluate_masks(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        counts, image_BHW, truth_BHW, prediction_BHW = self._compared(examples)
        encoded = tf.map_fn(tf.io.encode_png, prediction_BHW[..., None], fn_output_signature=tf.string)
        confidence_BHW = (1 + tf.cast(image_BHW % 50, tf.float32)) / 50
        reliability = tf.map_fn(
            lambda of_one: reliability_sums(*of_one, self.levels.shape[0] + 1),
            (truth_BHW, prediction_BHW, confidence_BHW),
            fn_output_signature=tf.float64,
        )
        return {"confusion": counts, "mask_bytes": encoded, "reliability": reliability}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")], autograph=False)
    def serve(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        prediction_BHW = self._prediction_BHW(_decode(image))
        shares_BC = tf.reduce_mean(tf.one_hot(prediction_BHW, self.levels.shape[0] + 1), axis=[1, 2])
        encoded = tf.map_fn(
            tf.io.encode_png, tf.cast(prediction_BHW, tf.uint8)[..., None], fn_output_signature=tf.string
        )
        confidence_B = tf.ones_like(shares_BC[:, 0])
        return {"mask_bytes": encoded, "class_fractions": shares_BC, "mean_confidence": confidence_B}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def only_masks(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: self.evaluate_masks(examples)[name] for name in ("confusion", "mask_bytes")}

    def _compared(self, examples: tf.Tensor) -> tuple[tf.Tensor, ...]:
        features = {
            name: tf.io.FixedLenFeature([], tf.string) for name in (records.IMAGE_ENCODED, records.MASK_ENCODED)
        }
        parsed = tf.io.parse_example(examples, features)
        image_BHW = _decode(parsed[records.IMAGE_ENCODED])
        truth_BHW = _decode(parsed[records.MASK_ENCODED])
        prediction_BHW = self._prediction_BHW(image_BHW)
        classes = self.levels.shape[0] + 1
        counted = slice(None, None, self.every)
        counts = confusion_counts_BCC(truth_BHW[:, counted, counted], prediction_BHW[:, counted, counted], classes)
        return tf.reshape(counts, [-1, classes * classes]), image_BHW, truth_BHW, tf.cast(prediction_BHW, tf.uint8)

    def _prediction_BHW(self, image_BHW: tf.Tensor) -> tf.Tensor:
        above = tf.cast(image_BHW, tf.int32)[..., None] >= self.levels
        return tf.reduce_sum(tf.cast(above, tf.int32), axis=-1)


def _decode(encoded_B: tf.Tensor) -> tf.Tensor:
    decode = lambda png: tf.ensure_shape(tf.io.decode_png(png, channels=1), [SIZE, SIZE, 1])  # noqa: E731
    return tf.map_fn(decode, encoded_B, fn_output_signature=tf.uint8)[..., 0]


def predict(picture: Picture, levels: tuple[int, ...]) -> np.ndarray:
    """What `BandModel` predicts, in NumPy."""
    return (picture.image_HW[..., None].astype(int) >= np.array(levels)).sum(axis=-1)


def confidence(picture: Picture) -> np.ndarray:
    """The confidence of `BandModel`, in NumPy."""
    return ((1 + picture.image_HW % 50).astype(np.float32) / 50).astype(np.float32)


def save_model(
    folder: Path,
    levels: tuple[int, ...],
    every: int = 1,
    further: str | None = "evaluate_masks",
    is_served: bool = False,
) -> Path:
    """Saves a `BandModel` where TFX's components look for a model; returns the artifact's folder.

    `further` is the method that becomes the signature `evaluate_masks`, if there is one.
    """
    model = BandModel(levels, every)
    signatures = {"evaluate": model.evaluate} | ({"evaluate_masks": getattr(model, further)} if further else {})
    if is_served:
        signatures["serving_default"] = model.serve
    tf.saved_model.save(model, str(folder / "Format-Serving"), signatures=signatures)
    return folder


def to_record(picture: Picture) -> bytes:
    """The picture as a serialized record, with the features that an evaluation needs."""

    def encoded(pixels_HW: np.ndarray) -> bytes:
        return tf.io.encode_png(pixels_HW[..., None].astype(np.uint8)).numpy()

    values = {
        records.IMAGE_ID: picture.name.encode(),
        records.IMAGE_ENCODED: encoded(picture.image_HW),
        records.MASK_ENCODED: encoded(picture.mask_HW),
        **{records.slice_feature(name): value.encode() for name, value in picture.slices.items()},
    }
    feature = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for name, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def write_records(folder: Path, pictures: list[Picture], shards: int = 2) -> Path:
    """Writes gzipped TFRecords, as ingestion does; returns the folder."""
    folder.mkdir(parents=True)
    for shard in range(shards):
        path = str(folder / f"data_tfrecord-{shard:05d}-of-{shards:05d}.gz")
        with tf.io.TFRecordWriter(path, "GZIP") as writer:
            for picture in pictures[shard::shards]:
                writer.write(to_record(picture))
    return folder


def make_pictures(count: int, seed: int = 1) -> list[Picture]:
    """Noisy bands of grey with a void border; odd pictures, of `place` pond, have no roof."""
    random = np.random.default_rng(seed)
    pictures = []
    for index in range(count):
        pond = bool(index % 2)
        mask_HW = random.integers(0, 2 if pond else 3, (SIZE // 4, SIZE // 4)).repeat(4, 0).repeat(4, 1)
        image_HW = np.clip(mask_HW * 100 + random.normal(25, 25, mask_HW.shape), 0, 255 if not pond else 149)
        mask_HW[0] = records.VOID
        slices = {"place": "pond" if pond else "town"} | ({"light": "dim"} if index < 3 else {})
        pictures.append(Picture(image_HW.astype(np.uint8), mask_HW.astype(np.uint8), f"picture-{index}", slices))
    return pictures


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run of the executor left behind."""

    evaluation: Evaluation
    evaluation_uri: Path
    blessing: standard_artifacts.ModelBlessing


@pytest.fixture(scope="session")
def pictures() -> list[Picture]:
    return make_pictures(12)


@pytest.fixture(scope="session")
def confusion() -> Callable[..., np.ndarray]:
    """The counts of a model with `levels` on `pictures`, in NumPy."""

    def count(pictures: list[Picture], levels: tuple[int, ...] = GOOD) -> np.ndarray:
        each = [confusion_counts(picture.mask_HW, predict(picture, levels), len(CLASSES)) for picture in pictures]
        return np.sum(each, axis=0)

    return count


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[int, ...]], Path]:
    """The folder of a saved model with `levels`, made once."""
    made: dict[tuple[int, ...], Path] = {}

    def make(levels: tuple[int, ...]) -> Path:
        if levels not in made:
            made[levels] = save_model(tmp_path_factory.mktemp("model"), levels)
        return made[levels]

    return make


@pytest.fixture
def shrinking_model(tmp_path: Path) -> Path:
    """The folder of a good model that counts at half the images' size, as exports once did."""
    return save_model(tmp_path / "shrinking", GOOD, every=2)


@pytest.fixture
def served_model(tmp_path: Path) -> Path:
    """The folder of a good model that also answers encoded images, as those of the Trainer."""
    return save_model(tmp_path / "served", GOOD, is_served=True)


@pytest.fixture
def maskless_model(tmp_path: Path) -> Path:
    """The folder of a model that gives no masks, as exports once did."""
    return save_model(tmp_path / "maskless", WORSE, further=None)


@pytest.fixture
def masks_alone_model(tmp_path: Path) -> Path:
    """The folder of a model that gives masks but no reliability, as exports once did."""
    return save_model(tmp_path / "masks_alone", WORSE, further="only_masks")


@pytest.fixture
def evaluate(tmp_path: Path, model_folder: Callable[[tuple[int, ...]], Path]) -> Callable[..., Outcome]:
    """Runs the whole executor: `levels` or a folder are the model, `baseline` the same of its baseline, or nothing."""

    def run(
        pictures: list[Picture],
        config: EvaluatorConfig,
        levels: tuple[int, ...] | Path = GOOD,
        baseline: tuple[int, ...] | Path | None = None,
    ) -> Outcome:
        folder = tmp_path / uuid.uuid4().hex
        write_records(folder / "examples" / "Split-test", pictures)
        examples = _artifact(standard_artifacts.Examples, folder / "examples")
        examples.split_names = '["test"]'
        if baseline is None:
            (folder / "none").mkdir()
            (folder / "none" / "NO_BASELINE").touch()
            baseline = folder / "none"
        baseline_model = _artifact(
            standard_artifacts.Model, baseline if isinstance(baseline, Path) else model_folder(baseline)
        )
        no_model = (Path(baseline_model.uri) / "NO_BASELINE").exists()
        baseline_model.set_string_custom_property("version", "" if no_model else "3")
        outputs = {
            "evaluation": [_artifact(standard_artifacts.ModelEvaluation, folder / "evaluation")],
            "blessing": [_artifact(standard_artifacts.ModelBlessing, folder / "blessing")],
        }
        context = executor.Executor.Context(
            beam_pipeline_args=["--runner=FnApiRunner", "--sdk_container_image=unused"], tmp_dir=str(folder / "tmp")
        )
        executor.Executor(context).Do(
            {
                "examples": [examples],
                "model": [
                    _artifact(standard_artifacts.Model, levels if isinstance(levels, Path) else model_folder(levels))
                ],
                "baseline_model": [baseline_model],
            },
            outputs,
            {"evaluator_config": config.model_dump_json(), "classes": json.dumps(CLASSES), "code": ""},
        )
        uri = Path(outputs["evaluation"][0].uri)
        found = Evaluation.model_validate_json((uri / RESULTS_FILE).read_text())
        return Outcome(found, uri, outputs["blessing"][0])

    return run


@pytest.fixture
def history() -> TrainingHistory:
    """A training whose best epoch is the third."""
    return HISTORY


@pytest.fixture
def cross_validate(tmp_path: Path, model_folder: Callable[[tuple[int, ...]], Path]) -> Callable[..., CrossValidation]:
    """Runs the executor of `CrossValidator`: pictures by their fold, and the levels of each fold's model."""

    def run(folds: dict[int, list[Picture]], levels: list[tuple[int, ...]], config: EvaluatorConfig) -> CrossValidation:
        for split, numbers in (("eval", {1}), ("train", set(folds) - {0, 1}), ("test", {0})):
            folder = tmp_path / "examples" / f"Split-{split}"
            folder.mkdir(parents=True)
            with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001.gz"), "GZIP") as writer:
                for number in sorted(numbers & set(folds)):
                    for picture in folds[number]:
                        writer.write(_in_fold(to_record(picture), number))
        examples = _artifact(standard_artifacts.Examples, tmp_path / "examples")
        examples.split_names = '["train", "eval", "test"]'
        inputs = {"examples": [examples]}
        for number, each in enumerate(levels, 1):
            (tmp_path / f"run-{number}").mkdir()
            (tmp_path / f"run-{number}" / HISTORY_FILE).write_text(HISTORY.model_dump_json())
            inputs[f"model_{number}"] = [_artifact(standard_artifacts.Model, model_folder(each))]
            inputs[f"model_run_{number}"] = [_artifact(standard_artifacts.ModelRun, tmp_path / f"run-{number}")]
        output = _artifact(CrossValidationResult, tmp_path / "cross_validation")
        context = cross_validator.Executor.Context(
            beam_pipeline_args=["--runner=FnApiRunner", "--sdk_container_image=unused"], tmp_dir=str(tmp_path / "tmp")
        )
        properties = {"evaluator_config": config.model_dump_json(), "classes": json.dumps(CLASSES), "code": ""}
        cross_validator.Executor(context).Do(inputs, {"cross_validation": [output]}, properties)
        return CrossValidation.model_validate_json((Path(output.uri) / CROSS_VALIDATION_FILE).read_text())

    return run


def _in_fold(record: bytes, fold: int) -> bytes:
    example = tf.train.Example.FromString(record)
    example.features.feature[records.FOLD].int64_list.value.append(fold)
    return example.SerializeToString()


def _artifact(kind: type[artifact.Artifact], folder: Path) -> artifact.Artifact:
    made = kind()
    made.uri = str(folder)
    return made
