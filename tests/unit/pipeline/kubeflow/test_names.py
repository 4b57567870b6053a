"""Names of tasks."""

from __future__ import annotations

import pytest

from pipeline.kubeflow.names import label, task_name


@pytest.mark.parametrize(
    ("step", "task"),
    [
        ("ImageMaskExampleGen", "image-mask-example-gen"),
        ("Trainer", "trainer"),
        ("StatisticsGen", "statistics-gen"),
        ("RunReport", "run-report"),
    ],
)
def test_a_task_is_called_like_its_step_with_hyphens(step: str, task: str) -> None:
    assert task_name(step) == task


def test_a_step_has_the_label_that_a_person_reads_everywhere() -> None:
    assert label("RegistryPusher") == "Push"
    assert label("Unheard") == "Unheard"
