"""A search over real trainings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tfx.components.trainer.fn_args_utils import FnArgs

from common.errors import UserError
from components.trainer import training
from components.trainer.checkpointing import Checkpointing
from components.trainer.config import TrainerConfig
from components.tuner.config import TunerConfig
from components.tuner.run import tuner_fn
from components.tuner.search import Search
from tests.support.networks import tiny_config
from tests.support.transformed import CLASS_NAMES, Transformed

THREE_TRIALS = TunerConfig.model_validate(
    {"learning_rate": [0.001, 0.1], "losses": ["dice", "cross_entropy"], "max_epochs": 2, "factor": 2, "max_trials": 3}
)
"""Two trials of one epoch, and the better one's second epoch."""


class Killed(BaseException):
    """What no code catches."""


@pytest.fixture
def search(transformed: Transformed, tmp_path: Path) -> Callable[..., Search]:
    """Makes a search in the test's folder."""

    def make(trainer: TrainerConfig | None = None) -> Search:
        settings: dict[str, Any] = {
            "tuner": THREE_TRIALS.model_dump_json(),
            "trainer": (trainer or tiny_config(epochs=2)).model_dump_json(),
            "transform": transformed.config.model_dump_json(),
            "classes": list(CLASS_NAMES),
            "seed": 1,
            "class_weight": None,
            "resume_root": str(tmp_path / "resume"),
        }
        return tuner_fn(
            FnArgs(
                train_files=transformed.train_files,
                eval_files=transformed.train_files,
                working_dir=str(tmp_path / "scratch"),
                custom_config=settings,
            )
        ).tuner

    return make


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Loss and number of each epoch that is trained, in their order."""
    trained: list[tuple[str, int]] = []
    end = Checkpointing.on_epoch_end

    def note(self: Checkpointing, epoch: int, logs: dict[str, Any] | None = None) -> None:
        trained.append((self._config.loss[0].type, epoch + 1))
        end(self, epoch, logs)

    monkeypatch.setattr(Checkpointing, "on_epoch_end", note)
    return trained


@pytest.mark.slow
def test_the_better_of_two_is_trained_on_from_its_weights(
    search: Callable[..., Search], epochs: list[tuple[str, int]]
) -> None:
    searching = search()
    searching.search()
    first, second, third = searching.result.trials
    assert third.continues == max((first, second), key=lambda trial: trial.mean_iou or 0).number
    assert [epoch for _, epoch in epochs] == [1, 1, 2]
    assert third.mean_iou and third.mean_iou >= max(first.mean_iou or 0, second.mean_iou or 0)


@pytest.mark.slow
def test_a_kill_costs_the_epoch_that_it_hits(
    search: Callable[..., Search], epochs: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    note = Checkpointing.on_epoch_end

    def die(self: Checkpointing, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if len(epochs) == 2:
            raise Killed
        note(self, epoch, logs)

    monkeypatch.setattr(Checkpointing, "on_epoch_end", die)
    with pytest.raises(Killed):
        search().search()
    monkeypatch.setattr(Checkpointing, "on_epoch_end", note)
    searching = search()
    searching.search()
    assert len(searching.result.trials) == 3
    assert [epoch for _, epoch in epochs] == [1, 1, 2]


def test_an_error_of_the_training_reaches_the_user(search: Callable[..., Search], monkeypatch: Any) -> None:
    monkeypatch.setattr(training, "count_records", lambda _: 0)
    with pytest.raises(Exception, match="the eval split is empty") as raised:
        search().search()
    assert isinstance(raised.value.__cause__, UserError)


def test_another_configuration_does_not_take_up_the_search(search: Callable[..., Search]) -> None:
    assert search().folder == search().folder
    assert search().folder != search(tiny_config(epochs=2, batch_size=6)).folder
