"""On which devices a network is trained."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import tensorflow as tf

from common.errors import UserError
from components.trainer.sharing import WHOLE, Share
from components.trainer.strategy import (
    all_reduce,
    check_batch_size,
    choose_strategy,
    is_chief,
    share_of,
    training_input,
)


def among(jobs: dict[str, int], job: str, index: int) -> Any:
    """A strategy as far as it tells who it is."""
    cluster = tf.train.ClusterSpec({name: [f"host{i}:1" for i in range(count)] for name, count in jobs.items()})
    resolver = SimpleNamespace(cluster_spec=lambda: cluster, task_type=job, task_id=index)
    return SimpleNamespace(cluster_resolver=resolver)


def test_one_device_needs_no_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert choose_strategy() is tf.distribute.get_strategy()


def test_a_cluster_of_one_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["localhost:1"]}, "task": {"type": "worker", "index": 0}}')
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert choose_strategy() is tf.distribute.get_strategy()


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_broken_cluster_is_told(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="TF_CONFIG is not a JSON object"):
        choose_strategy()


def test_the_only_process_is_the_chief() -> None:
    assert is_chief(tf.distribute.get_strategy())


@pytest.mark.parametrize(
    ("jobs", "chief"),
    [({"worker": 3}, ("worker", 0)), ({"chief": 1, "worker": 2}, ("chief", 0))],
    ids=["workers alone", "with a chief"],
)
def test_one_of_several_is_the_chief(jobs: dict[str, int], chief: tuple[str, int]) -> None:
    everybody = [(job, index) for job, count in jobs.items() for index in range(count)]
    assert [one for one in everybody if is_chief(among(jobs, *one))] == [chief]


def test_without_a_cluster_a_process_reads_all() -> None:
    assert share_of(tf.distribute.get_strategy()) == WHOLE


@pytest.mark.parametrize(("task", "worker"), [(("chief", 0), 0), (("worker", 0), 1), (("worker", 1), 2)])
def test_of_the_workers_that_share_an_epoch_the_chief_comes_first(task: tuple[str, int], worker: int) -> None:
    assert share_of(among({"chief": 1, "worker": 2}, *task)) == Share(3, worker)


def test_one_worker_trains_on_an_epoch_with_an_end() -> None:
    epoch = training_input(tf.distribute.get_strategy(), tf.data.Dataset.range(13).batch(4), 13, 4)
    assert [len(batch) for batch in epoch] == [4, 4, 4, 1]


def test_several_workers_train_on_data_without_an_end_in_the_order_of_one() -> None:
    """One worker, as in Keras' `fit`, makes an iterator that it does not read before that of the first epoch."""

    def shuffled() -> tf.data.Dataset:
        return tf.data.Dataset.range(13).shuffle(13, seed=1, reshuffle_each_iteration=True)

    one = shuffled()
    iter(one)
    epochs = [[*one.as_numpy_iterator()] for _ in range(2)]
    strategy = among({"worker": 2}, "worker", 1)
    strategy.num_replicas_in_sync = 2
    strategy.distribute_datasets_from_function = lambda function: function(None)
    batches = training_input(strategy, Share(2, 1).of(shuffled()).batch(4), 13, 4)
    assert batches.cardinality() == tf.data.INFINITE_CARDINALITY
    assert not batches.options().autotune.enabled
    taken = [[*batch] for batch in batches.take(8).as_numpy_iterator()]
    assert taken == [epoch[begin : begin + 4][1::2] for epoch in epochs for begin in range(0, 13, 4)]


def test_one_worker_agrees_with_itself() -> None:
    assert all_reduce(tf.distribute.get_strategy(), 1.5) == 1.5


def test_a_batch_must_go_round_the_devices() -> None:
    check_batch_size(1, tf.distribute.get_strategy())
    with pytest.raises(UserError, match=r"batch_size \(3\) is smaller than the number of devices \(4\)"):
        check_batch_size(3, SimpleNamespace(num_replicas_in_sync=4))  # type: ignore[arg-type]
