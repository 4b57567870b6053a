"""Results of a run as flat names and values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from components.evaluator.results import Evaluation
from components.trainer.history import TrainingHistory


class EpochMetric(NamedTuple):
    """A metric after an epoch, counted from 1."""

    name: str
    value: float
    epoch: int


def parameters(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yields the configuration by dotted keys; a list is one value."""
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from parameters(value, f"{name}.")
        else:
            yield plain_name(name), "" if value is None else str(value)


def final_metrics(evaluation: Evaluation, with_slices: bool = True) -> dict[str, float]:
    """Returns metrics of the model on the evaluated split: of the whole by their names, of slices by `column=value/`.

    Bounds of intervals end in `.low` and `.high`; what was not measured is left out.
    """
    found: dict[str, float] = {}
    for part in (evaluation.candidate.overall, *(evaluation.candidate.slices if with_slices else ())):
        prefix = f"{evaluation.split}/" + (f"{part.column}={part.value}/" if part.column else "")
        for name, estimate in part.estimates():
            for suffix, value in (("", estimate.value), (".low", estimate.low), (".high", estimate.high)):
                if value is not None:
                    found[plain_name(f"{prefix}{name}{suffix}")] = value
    return found


def epoch_metrics(histories: tuple[TrainingHistory, ...]) -> Iterator[EpochMetric]:
    """Yields losses, metrics and learning rate of each epoch; of folds under `fold_N/`."""
    for number, history in enumerate(histories, 1):
        prefix = f"fold_{number}/" if len(histories) > 1 else ""
        for epoch in history.epochs:
            for name, value in {**epoch.metrics, "learning_rate": epoch.learning_rate}.items():
                if value is not None:
                    yield EpochMetric(prefix + name, value, epoch.epoch)


def plain_name(name: str) -> str:
    """Returns a name with only characters that trackers take: ASCII letters, digits, `_`, `-`, `.`, space, `/`."""
    return re.sub(r"[^A-Za-z0-9_\-. /]", "_", name)
