"""What a step asks for: its own words first, then those for all."""

from __future__ import annotations

import pytest

from common.errors import UserError
from pipeline.kubeflow.compile.step_names import check_step_names
from pipeline.kubeflow.config import KubeflowConfig, quantity
from tests.support.cluster_config import cluster_config

TASKS = ("survey", "trainer", "data-gate", "image-mask-example-gen")


def test_a_step_takes_from_default_what_it_does_not_say() -> None:
    steps = {"default": {"cpu": "1", "memory": "2Gi", "retries": 1}, "trainer": {"cpu": "8", "retries": 0}}
    options = cluster_config({"steps": steps}).kubeflow.options_of("trainer")
    assert (options.cpu, options.memory, options.retries) == ("8", "2Gi", 0)


def test_a_step_may_do_without_what_all_others_have() -> None:
    steps = {"default": {"accelerator": {}}, "data-gate": {"accelerator": None}}
    config = cluster_config({"steps": steps}).kubeflow
    assert config.options_of("data-gate").accelerator is None
    assert config.options_of("trainer").accelerator is not None


def test_without_an_entry_nothing_is_asked_for() -> None:
    assert cluster_config({"steps": {}}).kubeflow.options_of("trainer").model_fields_set == set()


@pytest.mark.parametrize(("given", "text"), [(1, "1"), (0.5, "0.5"), (16, "16"), ("500m", "500m")])
def test_cores_may_be_written_as_numbers(given: object, text: str) -> None:
    assert cluster_config({"steps": {"default": {"cpu": given}}}).kubeflow.options_of("trainer").cpu == text


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ({"default": {"cpu": 2, "cpu_limit": "500m"}}, r"steps.default: cpu_limit \(500m\) must be at least cpu \(2\)"),
        (
            {"default": {"memory_limit": "4Gi"}, "trainer": {"memory": "32G"}},
            r"steps.trainer: memory_limit \(4Gi\) must be at least memory \(32G\)",
        ),
    ],
)
def test_a_limit_below_its_request_is_refused(steps: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        KubeflowConfig.model_validate({"steps": steps})


@pytest.mark.parametrize(
    ("text", "number"), [("500m", 0.5), ("2", 2), ("0.25", 0.25), ("1Ki", 1024), ("1.5Gi", 1.5 * 2**30), ("3M", 3e6)]
)
def test_quantities_are_those_of_kubernetes(text: str, number: float) -> None:
    assert quantity(text) == number


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Trainer", "did you mean 'trainer'"),
        ("data_gate", "did you mean 'data-gate'"),
        ("ImageMaskExampleGen", "did you mean 'image-mask-example-gen'"),
        ("xyz", "there is data-gate, image-mask-example-gen, survey, trainer"),
    ],
)
def test_an_unknown_step_is_refused_with_the_near_one(name: str, hint: str) -> None:
    config = cluster_config({"steps": {name: {"cpu": "1"}}}).kubeflow
    with pytest.raises(UserError, match=rf"kubeflow\.steps\.{name} is not a step of this pipeline; {hint}"):
        check_step_names(config, TASKS)


def test_default_and_the_steps_themselves_are_known() -> None:
    check_step_names(cluster_config({"steps": {"default": {}, "trainer": {}}}).kubeflow, TASKS)


@pytest.mark.parametrize(
    "options",
    [
        {"cpu": "4Gi"},
        {"memory": "16"},
        {"memory": "16GB"},
        {"env": {"1A": "x"}},
        {"volumes": [{"claim": "a.b", "mount": "/a"}]},
        {"volumes": [{"claim": "a", "mount": "a"}]},
        {"tolerations": [{"operator": "Equal", "key": "a"}]},
        {"tolerations": [{"operator": "Equal", "value": "a"}]},
        {"tolerations": [{"key": "a", "value": "b"}]},
    ],
    ids=str,
)
def test_what_kubernetes_would_not_take_is_no_configuration(options: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"kubeflow\.steps\.trainer"):
        cluster_config({"steps": {"trainer": options}})
