"""Names of the cluster tasks that are not TFX steps, of their parameters, and of the environment of steps."""

from __future__ import annotations

from pipeline.dag.steps import STEPS

COMMAND = "segpipe-step"
"""Command of every container; its first argument selects the subcommand, see `pod/entrypoint.py`."""

SURVEY = "survey"
"""First task: captures the run-time state, see `pipeline/dag/run_state.py`."""

RETRAIN = "retrain"
"""Group of all TFX steps, if it may be skipped."""

PIPELINE = "pipeline"
"""Group of all tasks before the exit task."""

GROUPS = frozenset({"root", RETRAIN, PIPELINE})
"""Tasks that are not pods: the whole run, as Argo calls it, and groups of tasks.  Their drivers are pods."""

NOTIFY = "notify"
"""Exit task; notifies the webhook even if the run failed."""

TASK_LABELS = {
    SURVEY: "Capture run state",
    RETRAIN: "Retrain",
    PIPELINE: "Pipeline",
    NOTIFY: "Notify webhook",
}

IS_TRAINING_DUE = "retrain"
"""Output of the survey: `true` or `false`, whether a training is due."""


def task_label(task: str) -> str:
    """Returns the display name of a task, or the task's name if it is unknown."""
    steps = {step.task: step.display_name for step in STEPS}
    return TASK_LABELS.get(task) or steps.get(task, task)


BEAM = "SEGPIPE_BEAM"
"""Environment variable of a Beam step: its section `beam`, as JSON."""

KEEP_URIS = "SEGPIPE_KEEP_URIS"
"""Environment variable of a step that reads and writes its artifacts in the bucket itself."""
