import importlib
import json

from components.evaluator.config import EvaluatorConfig
from components.evaluator.eval_config import make_eval_config

CONFIG = EvaluatorConfig(slices=("place",), confidence_intervals=False)


def test_every_slicing_column_is_a_slice_beside_the_whole() -> None:
    specs = make_eval_config(CONFIG, ("a", "b"), with_baseline=False).slicing_specs
    assert [list(spec.feature_keys) for spec in specs] == [[], ["slice/place"]]


def test_a_baseline_is_a_second_model_with_the_same_signature() -> None:
    models = make_eval_config(CONFIG, ("a", "b"), with_baseline=True).model_specs
    assert [(model.name, model.signature_name, model.is_baseline) for model in models] == [
        ("candidate", "evaluate", False),
        ("baseline", "evaluate", True),
    ]


def test_the_metric_is_found_by_module_and_class_name() -> None:
    count, metric = make_eval_config(CONFIG, ("a", "b"), with_baseline=False).metrics_specs[0].metrics
    assert count.class_name == "ExampleCount"
    made = getattr(importlib.import_module(metric.module), metric.class_name)(**json.loads(metric.config))
    assert made.get_config()["classes"] == ["a", "b"]


def test_replicates_are_made_only_where_intervals_are_asked() -> None:
    for intervals in (False, True):
        config = CONFIG.model_copy(update={"confidence_intervals": intervals})
        metric = make_eval_config(config, ("a",), with_baseline=False).metrics_specs[0].metrics[1]
        assert bool(json.loads(metric.config)["replicates"]) is intervals
