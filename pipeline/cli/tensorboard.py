"""`segpipe tensorboard`: shows the trainings of a workspace, while they run and afterwards."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from common.errors import UserError
from pipeline.config.run_config import RunConfig
from pipeline.dag.steps import FOLD_TRAINERS, TRAINER

EVENTS = Path("artifacts", TRAINER.component, "model_run")
"""Trainings of a workspace: a folder for each run of the step, with `tensorboard` in it."""
EVENTS_OF_FOLDS = Path("artifacts")
"""Folder with the trainings of all folds of a cross-validation."""


def open_tensorboard(config: RunConfig, host: str, port: int) -> None:
    """Replaces this process by TensorBoard, which ends by Ctrl-C.

    Raises:
        UserError: nothing has been trained in the workspace.
    """
    has_folds = config.data.split.folds is not None
    folder = config.workspace_dir / (EVENTS_OF_FOLDS if has_folds else EVENTS)
    trainings = f"{FOLD_TRAINERS[0].component}/model_run/*/tensorboard" if has_folds else "*/tensorboard"
    if not any(folder.glob(trainings)):
        raise UserError(
            f"{config.name} has no training in {config.workspace_dir} to show; `segpipe run` with this configuration "
            "trains it"
        )
    arguments = ["-m", "tensorboard.main", "--logdir", str(folder), "--host", host, "--port", str(port)]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606  # Our own interpreter and arguments.
