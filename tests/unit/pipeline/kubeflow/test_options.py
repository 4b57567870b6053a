"""What a step asks for: its own words first, then those for all."""

from __future__ import annotations

import pytest

from components.errors import UserError
from pipeline.kubeflow.options import check_step_names, options_of
from tests.support.cluster_config import cluster_config

TASKS = ("survey", "trainer", "data-gate", "image-mask-example-gen")


def test_a_step_takes_from_default_what_it_does_not_say() -> None:
    steps = {"default": {"cpu": "1", "memory": "2Gi", "retries": 1}, "trainer": {"cpu": "8", "retries": 0}}
    options = options_of(cluster_config({"steps": steps}).kubeflow, "trainer")
    assert (options.cpu, options.memory, options.retries) == ("8", "2Gi", 0)


def test_a_step_may_do_without_what_all_others_have() -> None:
    steps = {"default": {"accelerator": {}}, "data-gate": {"accelerator": None}}
    config = cluster_config({"steps": steps}).kubeflow
    assert options_of(config, "data-gate").accelerator is None
    assert options_of(config, "trainer").accelerator is not None


def test_without_an_entry_nothing_is_asked_for() -> None:
    assert options_of(cluster_config({"steps": {}}).kubeflow, "trainer").model_fields_set == set()


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
    with pytest.raises(UserError, match=rf"kubeflow\.steps\.{name} is no step of this pipeline; {hint}"):
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
