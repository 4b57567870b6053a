import json

import pytest
from tfx.types import channel, standard_artifacts

from components.evaluator.component import SegmentationEvaluator
from components.evaluator.config import EvaluatorConfig


@pytest.mark.parametrize("with_baseline", [False, True])
def test_the_component_takes_examples_and_models_and_gives_evaluation_and_blessing(with_baseline: bool) -> None:
    config = EvaluatorConfig(split="eval")
    model = channel.Channel(type=standard_artifacts.Model)
    evaluator = SegmentationEvaluator(
        examples=channel.Channel(type=standard_artifacts.Examples),
        model=model,
        baseline_model=channel.Channel(type=standard_artifacts.Model) if with_baseline else None,
        config=config,
        classes=("a", "b"),
        code="digest",
    )
    assert set(evaluator.inputs) == {"examples", "model"} | ({"baseline_model"} if with_baseline else set())
    assert evaluator.outputs["evaluation"].type is standard_artifacts.ModelEvaluation
    assert evaluator.outputs["blessing"].type is standard_artifacts.ModelBlessing
    assert EvaluatorConfig.model_validate_json(evaluator.exec_properties["evaluator_config"]) == config
    assert json.loads(evaluator.exec_properties["classes"]) == ["a", "b"]
    assert evaluator.exec_properties["code"] == "digest"
