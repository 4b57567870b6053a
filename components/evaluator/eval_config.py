"""From our configuration to TFMA's."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tensorflow_model_analysis import constants
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.config import EvaluatorConfig
from components.evaluator.confusion import EVALUATE_SIGNATURE
from components.evaluator.metrics import SegmentationMetrics
from components.records import slice_feature

CANDIDATE = constants.CANDIDATE_KEY
BASELINE = constants.BASELINE_KEY


def make_eval_config(config: EvaluatorConfig, classes: Sequence[str], with_baseline: bool) -> config_pb2.EvalConfig:
    """What TFMA measures: one model or two, on the whole split and on each value of each slicing column.

    Thresholds stay out: TFMA counts a class that is absent from a slice as a failure there, for NaN is under every
    bound and a missing metric fails as well, and two verdicts that differ would be worse than one.
    `verdict.judge` decides alone.
    """
    names = (CANDIDATE, BASELINE) if with_baseline else (CANDIDATE,)
    return config_pb2.EvalConfig(
        model_specs=[_model_spec(name) for name in names],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=[slice_feature(name)]) for name in config.slices),
        ],
        metrics_specs=[config_pb2.MetricsSpec(metrics=_metrics(classes), model_names=names)],
        options=_options(config),
    )


def _model_spec(name: str) -> config_pb2.ModelSpec:
    return config_pb2.ModelSpec(
        name=name, signature_name=EVALUATE_SIGNATURE, model_type=constants.TF_GENERIC, is_baseline=name == BASELINE
    )


def _metrics(classes: Sequence[str]) -> list[config_pb2.MetricConfig]:
    return [
        config_pb2.MetricConfig(class_name="ExampleCount"),
        config_pb2.MetricConfig(
            class_name=SegmentationMetrics.__name__,
            module=SegmentationMetrics.__module__,
            config=json.dumps({"classes": list(classes)}),
        ),
    ]


def _options(config: EvaluatorConfig) -> config_pb2.Options:
    options = config_pb2.Options()
    options.include_default_metrics.value = False
    options.compute_confidence_intervals.value = config.confidence_intervals
    options.confidence_intervals.method = config_pb2.ConfidenceIntervalOptions.POISSON_BOOTSTRAP
    return options
