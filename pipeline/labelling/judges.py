"""Which model judges which records of a run, and whether it has seen them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.records import SPLITS
from components import component_keys as keys
from pipeline.comparison.side import SAVED_MODEL
from pipeline.local.finished_run import FinishedRun
from pipeline.local.fold_models import fold_models

TRAINED = "trained on"
STOPPED = "chose the epoch"
OUT_OF_FOLD = "out of fold"
UNSEEN = "not seen"


@dataclass(frozen=True)
class Judge:
    """A model, and the records that it judges."""

    model: str
    """Folder of the SavedModel."""
    seen: Mapping[str, str]
    """How the model knows the masks of each split that it judges: one of the words above."""
    fold: int | None = None
    """The fold of its records; `None`: all records of the splits."""


@dataclass(frozen=True)
class JudgedRun:
    """A finished run, and the models that judge its pairs."""

    config: Mapping[str, Any]
    examples: Path
    """Folder of the records, with a folder for each split."""
    judges: Sequence[Judge]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self.config["data"]["classes"])

    @property
    def is_out_of_fold(self) -> bool:
        """Whether no pair is judged by a model that has seen its mask."""
        return all(word in (OUT_OF_FOLD, UNSEEN) for judge in self.judges for word in judge.seen.values())


def judged_run(workspace: Path, run: FinishedRun) -> JudgedRun:
    """Returns the judges of a run: of a cross-validation, each fold's model for its own fold."""
    train, evaluation, test = SPLITS
    model = str(run.artifacts[keys.MODEL] / SAVED_MODEL)
    if keys.CROSS_VALIDATION in run.artifacts:
        folders = fold_models(workspace, run.artifacts[keys.CROSS_VALIDATION])
        of_folds = {train: OUT_OF_FOLD, evaluation: OUT_OF_FOLD}
        judges = [Judge(str(folder / SAVED_MODEL), of_folds, fold) for fold, folder in enumerate(folders, 1)]
        judges.append(Judge(model, {test: UNSEEN}))
    else:
        judges = [Judge(model, {train: TRAINED, evaluation: STOPPED, test: UNSEEN})]
    return JudgedRun(run.config, run.artifacts[keys.EXAMPLES], judges)
