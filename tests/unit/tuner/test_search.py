"""Hyperband over trainings: what is tried, what is gone on with, and what a second attempt does not do again."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras_tuner
import pytest
import tensorflow as tf

from common.errors import UserError
from components.trainer.config import TrainerConfig
from components.trainer.divergence import Diverged
from components.tuner.config import TunerConfig
from components.tuner.result import SearchResult
from components.tuner.search import Search

SHORT = TunerConfig(learning_rate=(1e-3, 1e-1), max_epochs=3)
"""Three trials of an epoch, the best of them for three; then two of three epochs."""
LONGER = TunerConfig(learning_rate=(1e-3, 1e-1), max_epochs=9)


class Killed(BaseException):
    """What no code catches."""


class Call(NamedTuple):
    """What a trial's training was told."""

    learning_rate: float
    folder: str
    until: int


class Trainings:
    """Stands for trainings, which are the better the nearer their learning rate is to 0.01."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[Call] = []
        self.kill_at = 0
        self.raises: Callable[[int], Exception | None] = lambda _: None

    def __call__(self, config: TrainerConfig, resume_dir: str, until: int) -> float:
        self.calls.append(Call(config.learning_rate, Path(resume_dir).name, until))
        (Path(resume_dir) / "weights").write_text("some")
        if len(self.calls) == self.kill_at:
            raise Killed
        if error := self.raises(len(self.calls)):
            raise error
        return 0.5 + 0.01 * until - 0.1 * abs(math.log10(config.learning_rate) + 2)

    def search(self, config: TunerConfig = SHORT, seed: int = 1, **trainer: Any) -> Search:
        kept, scratch = self.folder / "kept", self.folder / "scratch"
        kept.mkdir(exist_ok=True)
        return Search(config, TrainerConfig(**trainer), seed, self, str(kept), str(scratch))


@pytest.fixture
def trainings(tmp_path: Path) -> Trainings:
    return Trainings(tmp_path)


def run(search: Search) -> SearchResult:
    search.search()
    return search.result


def test_few_are_trained_for_long(trainings: Trainings) -> None:
    result = run(trainings.search())
    assert [trial.epochs for trial in result.trials] == [1, 1, 1, 3, 3, 3]
    assert [call.until for call in trainings.calls] == [1, 1, 1, 3, 3, 3]


@pytest.mark.parametrize("config", [SHORT, LONGER, TunerConfig(max_epochs=4, factor=2, iterations=2)])
def test_the_number_of_trials_is_known_from_the_start(trainings: Trainings, config: TunerConfig) -> None:
    search = trainings.search(config)
    assert len(run(search).trials) == search.oracle.max_trials


def test_the_best_of_a_round_is_gone_on_with_where_its_weights_are(trainings: Trainings) -> None:
    trials = run(trainings.search()).trials
    best = max(trials[:3], key=lambda trial: trial.mean_iou or 0)
    assert trials[3].continues == best.number
    assert trials[3].values == best.values
    assert trainings.calls[3].folder == trainings.calls[best.number - 1].folder
    assert trials[4].continues is None


def test_weights_that_nobody_will_go_on_with_are_deleted(trainings: Trainings) -> None:
    run(trainings.search(LONGER))
    brackets = [trial.name for trial in (trainings.folder / "kept").glob("training-*")]
    assert sorted(brackets) == ["training-20", "training-21", "training-22"]


def test_the_best_trial_is_chosen(trainings: Trainings) -> None:
    search = trainings.search()
    result = run(search)
    best = result.trials[result.best - 1]
    assert best.mean_iou == max(trial.mean_iou or 0 for trial in result.trials)
    chosen = search.get_best_hyperparameters()[0].values["learning_rate"]
    assert chosen == best.values["learning_rate"]


def test_all_that_may_be_chosen_is_drawn(trainings: Trainings) -> None:
    config = TunerConfig.model_validate(
        {"losses": ["dice", "cross_entropy"], "widths": [8, 16], "augmentation": [0, 1], "max_epochs": 9}
    )
    values = [trial.values for trial in run(trainings.search(config)).trials]
    assert {value["loss"] for value in values} == {'["dice"]', '["cross_entropy"]'}
    assert {value["width"] for value in values} == {8, 16}
    assert all(0 <= value["augmentation"] <= 1 for value in values)
    assert all(1e-4 <= value["learning_rate"] <= 1e-2 for value in values)


def test_the_seed_decides_what_is_tried(trainings: Trainings, tmp_path: Path) -> None:
    def rates(seed: int, name: str) -> list[float]:
        (tmp_path / name).mkdir()
        own = Trainings(tmp_path / name)
        run(own.search(seed=seed))
        return [call.learning_rate for call in own.calls]

    assert rates(0, "a") == rates(0, "b") != rates(1, "c")


@pytest.mark.parametrize("killed_at", [1, 3, 4, 6])
def test_a_killed_search_goes_on_where_it_was(trainings: Trainings, tmp_path: Path, killed_at: int) -> None:
    trainings.kill_at = killed_at
    with pytest.raises(Killed):
        run(trainings.search())
    result = run(trainings.search())
    (tmp_path / "other").mkdir()
    undisturbed = Trainings(tmp_path / "other")
    expected = run(undisturbed.search())
    assert [t.model_copy(update={"seconds": 0}) for t in result.trials] == [
        t.model_copy(update={"seconds": 0}) for t in expected.trials
    ]
    again = trainings.calls[killed_at - 1 : killed_at]
    assert trainings.calls == undisturbed.calls[:killed_at] + again + undisturbed.calls[killed_at:]


def test_a_kill_while_a_record_is_written_leaves_no_half_record(trainings: Trainings) -> None:
    trainings.kill_at = 3
    with pytest.raises(Killed):
        run(trainings.search())
    (trainings.folder / "kept" / "trial-00003.json.new").write_text('{"number": 3, "val')
    assert len(run(trainings.search()).trials) == 6


def test_the_search_ends_after_so_many_trials(trainings: Trainings) -> None:
    assert len(run(trainings.search(SHORT.model_copy(update={"max_trials": 2}))).trials) == 2


def test_the_search_ends_when_its_time_is_up(trainings: Trainings) -> None:
    assert len(run(trainings.search(SHORT.model_copy(update={"max_minutes": 1e-9}))).trials) == 1


def test_a_trial_that_needs_too_much_memory_does_not_end_the_search(trainings: Trainings) -> None:
    exhausted = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\nsomewhere")
    trainings.raises = lambda call: exhausted if call == 2 else None
    result = run(trainings.search())
    assert result.trials[1].mean_iou is None
    assert result.trials[1].failure.startswith("out of memory with learning_rate ")
    assert result.best != 2
    assert len(result.trials) > 3


def test_trials_that_diverge_fail_with_their_reason_and_the_search_goes_on(trainings: Trainings) -> None:
    diverged = Diverged("the training diverged: the loss is not a number in epoch 1 of 3; lower it. Nothing is kept.")
    trainings.raises = lambda call: diverged if call <= 3 else None
    result = run(trainings.search(LONGER))
    assert [trial.mean_iou is None for trial in result.trials[:4]] == [True, True, True, False]
    assert result.trials[0].diverged
    assert result.trials[0].failure.startswith(
        "the training diverged: the loss is not a number in epoch 1 of 3, with learning_rate "
    )
    assert result.best > 3


def test_a_search_whose_trials_all_diverge_says_what_to_lower(trainings: Trainings) -> None:
    trainings.raises = lambda _: Diverged("the training diverged; lower it")
    with pytest.raises((UserError, keras_tuner.errors.FatalError)) as raised:
        run(trainings.search(LONGER))
    said = raised.value.__cause__ or raised.value
    assert isinstance(said, UserError)
    assert str(said).endswith("lower the upper end of tuner.learning_rate")


@pytest.mark.parametrize("most", [1, 6])
def test_no_trial_at_all_is_said_in_a_sentence(trainings: Trainings, most: int) -> None:
    trainings.raises = lambda _: tf.errors.ResourceExhaustedError(None, None, "OOM")
    with pytest.raises((UserError, keras_tuner.errors.FatalError)) as raised:
        run(trainings.search(SHORT.model_copy(update={"max_trials": most})))
    said = raised.value.__cause__ or raised.value
    assert isinstance(said, UserError)
    assert "could not be trained, nor those before it: out of memory with learning_rate" in str(said)
    assert len(trainings.calls) == min(most, 3)
    trainings.raises = lambda _: None
    assert all(trial.mean_iou for trial in run(trainings.search()).trials)


def test_any_other_error_ends_the_search_and_keeps_its_cause(trainings: Trainings) -> None:
    trainings.raises = lambda _: UserError("the eval split is empty")
    with pytest.raises(keras_tuner.errors.FatalError) as raised:
        run(trainings.search())
    assert isinstance(raised.value.__cause__, UserError)


def test_the_course_is_told_in_a_line_a_trial(trainings: Trainings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "segpipe.progress")
    run(trainings.search())
    lines = [record.getMessage() for record in caplog.records if not getattr(record, "transient", False)]
    assert len(lines) == 6
    assert lines[0].startswith("trial 1 of 6: IoU 0.")
    assert "(best 0." in lines[3]
    assert "after 3 epochs with learning_rate 0.0" in lines[3]
