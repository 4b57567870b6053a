"""Checks of the folds of cross-validation: their sizes, and the classes that the member models are trained on."""

from __future__ import annotations

from collections.abc import Iterator

from common.plurals import counted
from components.data_gate.config import ValidationConfig
from components.data_gate.result import Finding
from components.example_gen.quarantine import IngestionSummary

_CHECK = "folds"


def check_folds(summary: IngestionSummary, config: ValidationConfig) -> list[Finding]:
    """Checks that each fold has `min_pairs` pairs, and that each member model is trained on all classes.

    A class with pixels in one fold alone is unknown to the model that is trained without that fold.  Fold 1 is not
    checked for it: the split train is the data of its model, see `class_checks`.
    """
    if not summary.folds:
        return []
    small = list(_too_small(summary, config.min_pairs))
    found = small or [_finding(f"{_sizes(summary)}, each at least {config.min_pairs}", passed=True)]
    return [*found, *_classes_of_one_fold(summary, config)]


def _too_small(summary: IngestionSummary, min_pairs: int) -> Iterator[Finding]:
    for number, fold in enumerate(summary.folds, 1):
        if fold.pairs < min_pairs:
            yield _finding(
                f"fold {number} of {len(summary.folds)} has {counted(fold.pairs, 'pair')}, but needs at least "
                f"{min_pairs}: lower data.split.folds, or set data.split.stratify, which makes folds of equal size",
                passed=False,
            )


def _classes_of_one_fold(summary: IngestionSummary, config: ValidationConfig) -> Iterator[Finding]:
    for index, name in enumerate(summary.classes):
        places = [number for number, fold in enumerate(summary.folds, 1) if fold.class_pixels[index]]
        if len(places) != 1 or places == [1]:
            continue
        detail = f"the class {name!r} has pixels in fold {places[0]} alone, so one model is trained without it"
        if config.may_be_absent == "all" or name in config.may_be_absent:
            yield _finding(f"{detail}, as validation.may_be_absent allows", passed=True)
        else:
            remedy = "give more pairs with it, or set data.split.stratify: classes, or name it in"
            yield _finding(f"{detail}: {remedy} validation.may_be_absent", passed=False)


def _sizes(summary: IngestionSummary) -> str:
    sizes = [fold.pairs for fold in summary.folds]
    return f"the {len(sizes)} folds have {min(sizes)} to {max(sizes)} pairs"


def _finding(detail: str, passed: bool) -> Finding:
    return Finding(check=_CHECK, passed=passed, detail=detail)
