"""Converts the configuration to TFMA's EvalConfig."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tensorflow_model_analysis import constants
from tensorflow_model_analysis.proto import config_pb2

from common.records import slice_feature
from common.signatures import EVALUATE, EVALUATE_MASKS
from components.evaluator import bootstrap
from components.evaluator.config import EvaluatorConfig
from components.evaluator.metrics import SegmentationMetrics

CANDIDATE = constants.CANDIDATE_KEY
BASELINE = constants.BASELINE_KEY


def make_eval_config(config: EvaluatorConfig, classes: Sequence[str], with_baseline: bool) -> config_pb2.EvalConfig:
    """Returns TFMA's EvalConfig: one or two models, on the whole split and on each value of each slicing column.

    Thresholds are left out: TFMA counts a class that is absent from a slice as a failure there, since NaN is below
    every bound and a missing metric fails as well.  Only `verdict.judge` decides.
    Confidence intervals do not use TFMA's option either, see `bootstrap`.
    """
    names = (CANDIDATE, BASELINE) if with_baseline else (CANDIDATE,)
    return config_pb2.EvalConfig(
        model_specs=[_model_spec(name, EVALUATE_MASKS if config.metrics else EVALUATE) for name in names],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=[slice_feature(name)]) for name in config.slices),
        ],
        metrics_specs=[config_pb2.MetricsSpec(metrics=_metrics(config, classes), model_names=names)],
        options=_options(),
    )


def _model_spec(name: str, signature: str) -> config_pb2.ModelSpec:
    return config_pb2.ModelSpec(
        name=name, signature_name=signature, model_type=constants.TF_GENERIC, is_baseline=name == BASELINE
    )


def _metrics(config: EvaluatorConfig, classes: Sequence[str]) -> list[config_pb2.MetricConfig]:
    return [
        config_pb2.MetricConfig(class_name="ExampleCount"),
        config_pb2.MetricConfig(
            class_name=SegmentationMetrics.__name__,
            module=SegmentationMetrics.__module__,
            config=json.dumps(
                {
                    "classes": list(classes),
                    "replicates": bootstrap.REPLICATES if config.confidence_intervals else 0,
                    "families": [family.model_dump(mode="json") for family in config.metrics],
                }
            ),
        ),
    ]


def _options() -> config_pb2.Options:
    options = config_pb2.Options()
    options.include_default_metrics.value = False
    return options
