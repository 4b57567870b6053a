"""Names of the tasks on a cluster that are not steps of TFX, and of what flows between them."""

from __future__ import annotations

COMMAND = "segpipe-step"
"""The command of every container; the first argument says which one it is, see `entrypoint`."""

SURVEY = "survey"
"""The first task: captures the state of data and registry when a run starts, see `run_state`."""

RETRAIN = "retrain"
"""The group of all of TFX's steps, where it may be skipped."""

PIPELINE = "pipeline"
"""The group of everything whose end the webhook is told."""

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
