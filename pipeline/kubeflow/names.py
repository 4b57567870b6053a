"""Names of the tasks on a cluster that are not steps of TFX, and of what flows between them."""

from __future__ import annotations

from pipeline.dag.steps import STEPS

COMMAND = "segpipe-step"
"""The command of every container; the first argument says which one it is, see `entrypoint`."""

SURVEY = "survey"
"""The first task: captures the state of data and registry when a run starts, see `run_state`."""

RETRAIN = "retrain"
"""The group of all of TFX's steps, where it may be skipped."""

PIPELINE = "pipeline"
"""The group of everything whose end the webhook is told."""

GROUPS = frozenset({"root", RETRAIN, PIPELINE})
"""Tasks that are not pods: the whole run, as Argo calls it, and groups of tasks.  Their drivers are pods."""

NOTIFY = "notify"
"""The exit task: notifies the webhook, also after a failure."""

TASK_LABELS = {
    SURVEY: "Look around",
    RETRAIN: "Retrain",
    PIPELINE: "Pipeline",
    NOTIFY: "Tell the webhook",
}

IS_TRAINING_DUE = "retrain"
"""Output of the survey: `true` or `false`, whether there is anything to train."""


def task_label(task: str) -> str:
    """The display name of a task; the task's own name where it is unknown."""
    steps = {step.task: step.display_name for step in STEPS}
    return TASK_LABELS.get(task) or steps.get(task, task)
