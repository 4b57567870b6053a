"""What tasks are called on a cluster, and what flows between TFX's steps and the tasks that TFX knows nothing of."""

from __future__ import annotations

import re

from pipeline.labels import LABELS

COMMAND = "segpipe-step"
"""The command of every container; the first argument says which one it is, see `entrypoint`."""

SURVEY = "survey"
"""The first task: looks at data and registry, as `pipeline.local.look_around` does, when a run begins."""

RETRAIN = "retrain"
"""The group of all of TFX's steps, where it may be skipped."""

PIPELINE = "pipeline"
"""The group of everything whose end the webhook is told."""

GROUPS = frozenset({"root", RETRAIN, PIPELINE})
"""Tasks that are not pods: the whole run, as Argo calls it, and groups of tasks.  Their drivers are pods."""

NOTIFY = "notify"
"""The last task, also of a run that failed: tells the webhook."""

TASK_LABELS = {
    SURVEY: "Look around",
    RETRAIN: "Retrain",
    PIPELINE: "Pipeline",
    NOTIFY: "Tell the webhook",
}

SURVEYED = {
    ("ImageMaskExampleGen", "data_config"): "data_config",
    ("ImageMaskExampleGen", "data_fingerprint"): "data_fingerprint",
    ("DataGate", "drift_baseline"): "drift_baseline",
    ("Baseline", "registry_state"): "registry_state",
    ("HyperbandTuner", "custom_config"): "search_settings",
    ("Trainer", "custom_config"): "trainer_settings",
    ("ServingCheck", "trainer_settings"): "trainer_settings",
    ("RegistryPusher", "registry_state"): "registry_state",
    ("RegistryPusher", "holdings_state"): "holdings_state",
    ("RegistryPusher", "run_config"): "run_config",
    ("RunReport", "run_config"): "run_config",
}
"""What a step is told by the survey instead of at compile time: step and parameter → output of the survey.

It is all that depends on the state of the world or on a run's parameters.
"""

VERDICT = "retrain"
"""The survey's output that says, as `true` or `false`, whether there is anything to train."""


def task_name(step: str) -> str:
    """TFX's name of a step as a task is called: `ImageMaskExampleGen` → `image-mask-example-gen`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", step).lower()


def label(step: str) -> str:
    """What a person calls a step of TFX."""
    return LABELS.get(step, step)


def task_label(task: str) -> str:
    """What a person calls a task; one that is not known is called as it is."""
    steps = {task_name(step): text for step, text in LABELS.items()}
    return TASK_LABELS.get(task) or steps.get(task, task)
