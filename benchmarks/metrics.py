"""Processor milliseconds an image, from two index masks to added-up counts: ours beside TFMA's own metrics.

Both get decoded masks and run on one core.  Ours counts the whole confusion matrix of a batch in the graph with one
`bincount` and adds it up in Beam's combiner; TFMA's `SemanticSegmentationTruePositive` (which brings no IoU, no Dice
and no false negatives) compares masks class by class in its combiner.  The families of `evaluator.metrics` come beside
them, each by itself.

    python -m benchmarks.metrics --size 825x550
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.metrics import semantic_segmentation_confusion_matrix_metrics as tfma_metrics

from common.confusion import confusion_counts_BCC
from common.records import VOID
from common.reliability import reliability_sums
from components.evaluator import bootstrap
from components.evaluator.config import EvaluatorConfig
from components.evaluator.families.build import Families
from components.evaluator.metrics import FREQUENCIES_FEATURE, CountsCombiner

BATCH = 8
FAMILIES = ("boundary", "surface", "objects", "calibration")


def main() -> None:
    """Prints the table."""
    arguments = _arguments()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    height, width = arguments.size
    print(f"processor ms an image at {height}×{width}, one core, medians of {arguments.repeats}; batch of {BATCH}")
    heads = "".join(f" {family:>11}" for family in FAMILIES)
    print(f"{'classes':>7} {'bincount':>9} {'ours':>9} {'+ intervals':>12} {'TFMA':>9} {'TFMA / ours':>12}{heads}")
    for classes in arguments.classes:
        truth_BHW, prediction_BHW = _masks(height, width, classes)
        bincount = _median_ms(_bincount(truth_BHW, prediction_BHW, classes), arguments.repeats) / BATCH
        ours = _median_ms(_ours(truth_BHW, prediction_BHW, classes, 0), arguments.repeats) / BATCH
        intervals = _ours(truth_BHW, prediction_BHW, classes, bootstrap.REPLICATES)
        with_intervals = _median_ms(intervals, arguments.repeats) / BATCH
        theirs = _median_ms(_tfma(truth_BHW[0], prediction_BHW[0], classes), arguments.repeats)
        further = [
            _median_ms(_family(truth_BHW, prediction_BHW, classes, family), arguments.repeats) for family in FAMILIES
        ]
        print(
            f"{classes:>7} {bincount:>9.2f} {ours:>9.2f} {with_intervals:>12.2f} {theirs:>9.2f} {theirs / ours:>11.0f}×"
            + "".join(f" {milliseconds:>11.2f}" for milliseconds in further)
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=_size, default=(256, 256), help="height x width, such as 825x550")
    parser.add_argument("--classes", type=int, nargs="+", default=[2, 11, 59])
    parser.add_argument("--repeats", type=int, default=7)
    return parser.parse_args()


def _size(text: str) -> tuple[int, int]:
    height, width = text.split("x")
    return int(height), int(width)


def _masks(height: int, width: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth with a twentieth of void, and a prediction that is mostly right."""
    random = np.random.default_rng(1)
    truth_BHW = random.integers(0, classes, (BATCH, height, width), dtype=np.uint8)
    noise_BHW = random.integers(0, classes, truth_BHW.shape, dtype=np.uint8)
    prediction_BHW = np.where(random.random(truth_BHW.shape) < 0.8, truth_BHW, noise_BHW)
    truth_BHW[random.random(truth_BHW.shape) < 0.05] = VOID
    return truth_BHW, prediction_BHW


def _median_ms(run: Callable[[], Any], repeats: int) -> float:
    run()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return 1000 * statistics.median(seconds)


def _bincount(truth_BHW: np.ndarray, prediction_BHW: np.ndarray, classes: int) -> Callable[[], Any]:
    """The floor: one `bincount` over ready-made bins."""
    bins = tf.constant(truth_BHW.astype(np.int32).ravel() * classes + prediction_BHW.ravel())
    size = (VOID + 1) * classes
    count = tf.function(lambda bins: tf.math.bincount(bins, minlength=size, maxlength=size))
    return lambda: count(bins).numpy()


def _ours(truth_BHW: np.ndarray, prediction_BHW: np.ndarray, classes: int, replicates: int) -> Callable[[], Any]:
    """What the `evaluate` signature counts and the combiner adds."""
    truth, prediction = tf.constant(truth_BHW), tf.constant(prediction_BHW.astype(np.int32))
    count = tf.function(lambda truth, prediction: confusion_counts_BCC(truth, prediction, classes))
    combiner = CountsCombiner([str(c) for c in range(classes)], replicates, Families((), ()), "")

    def run() -> None:
        sums = combiner.create_accumulator()
        for index, counts_CC in enumerate(count(truth, prediction).numpy()):
            features = {FREQUENCIES_FEATURE: bootstrap.frequencies(b"%d" % index)} if replicates else {}
            extracts = {constants.PREDICTIONS_KEY: counts_CC, constants.FEATURES_KEY: features}
            sums = combiner.add_input(sums, metric_types.StandardMetricInputs(extracts))

    return run


def _family(truth_BHW: np.ndarray, prediction_BHW: np.ndarray, classes: int, family: str) -> Callable[[], Any]:
    """What a family of `evaluator.metrics` counts, on blobs in place of noise, which has a boundary everywhere."""
    families = Families(EvaluatorConfig(metrics=(family,)).metrics, [str(c) for c in range(classes)])  # type: ignore[arg-type]
    blobs = [np.kron(mask[::16, ::16], np.ones((16, 16), np.uint8)) for mask in (truth_BHW[0], prediction_BHW[0])]
    if family != "calibration":
        return lambda: families.count(*blobs)
    confidence_HW = np.random.default_rng(1).uniform(1 / classes, 1, blobs[0].shape).astype(np.float32)
    inputs = [tf.constant(each) for each in (*blobs, confidence_HW)]
    sums = tf.function(lambda *inputs: reliability_sums(*inputs, classes))  # In the graph of the model.
    return lambda: families.count(*blobs, sums(*inputs).numpy())


def _tfma(truth_HW: np.ndarray, prediction_HW: np.ndarray, classes: int) -> Callable[[], Any]:
    """What TFMA's metric does to one image."""
    metric = tfma_metrics.SemanticSegmentationTruePositive(
        class_ids=list(range(classes)),
        ground_truth_key="truth",
        prediction_key="prediction",
        decode_ground_truth=False,
        ignore_ground_truth_id=VOID,
    )
    computation = metric.computations(model_names=[""])[0]
    extracts = {constants.FEATURES_KEY: {"truth": truth_HW, "prediction": prediction_HW}}

    def run() -> None:
        for inputs in computation.preprocessors[0].process(extracts):
            accumulator = computation.combiner.create_accumulator()
            computation.combiner.add_input(accumulator, metric_types.StandardMetricInputs(inputs))

    return run


if __name__ == "__main__":
    main()
