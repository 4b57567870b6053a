"""What one of several workers reads."""

from __future__ import annotations

import math

import pytest
import tensorflow as tf

from components.trainer.sharing import Share, endless


def test_the_shares_of_a_batch_are_the_batch_of_one_worker() -> None:
    data = tf.data.Dataset.range(12)
    local = [list(Share(2, index).of(data).batch(2).as_numpy_iterator()) for index in range(2)]
    together = [sorted([*a, *b]) for a, b in zip(*local, strict=True)]
    assert together == [[*batch] for batch in data.batch(4).as_numpy_iterator()]


@pytest.mark.parametrize("count", [0, 1, 7, 9])
def test_the_size_of_a_share_is_what_it_has(count: int) -> None:
    for index in range(3):
        share = Share(3, index)
        assert share.size(count) == len(list(share.of(tf.data.Dataset.range(count))))


@pytest.mark.parametrize(("samples", "batch"), [(12, 4), (13, 4), (13, 5), (5, 4), (1, 4), (3, 8)])
@pytest.mark.parametrize(("workers", "replicas"), [(2, 1), (3, 1), (2, 2)])
def test_workers_have_equal_numbers_of_steps_that_together_are_those_of_one(
    samples: int, batch: int, workers: int, replicas: int
) -> None:
    shares = [Share(workers, index) for index in range(workers)]
    sizes = [share.batch_sizes(samples, batch, replicas) for share in shares]
    steps = math.ceil(samples / batch)
    assert {len(each) for each in sizes} == {steps * replicas}
    assert [sum(each) for each in sizes] == [share.size(samples) for share in shares]
    together = [sum(sum(each[step * replicas : (step + 1) * replicas]) for each in sizes) for step in range(steps)]
    assert together == Share().batch_sizes(samples, batch)


def test_a_workers_samples_are_divided_evenly_among_its_devices() -> None:
    assert Share(2, 0).batch_sizes(13, 6, replicas=2) == [2, 1, 2, 1, 1, 0]


@pytest.mark.parametrize(("samples", "batch"), [(12, 4), (13, 4), (13, 5), (1, 4)])
def test_data_without_an_end_has_the_batches_of_one_worker_in_each_epoch(samples: int, batch: int) -> None:
    data = tf.data.Dataset.range(samples)
    whole = [[*each] for each in data.batch(batch).as_numpy_iterator()]
    shares = [Share(2, index) for index in range(2)]
    each = [endless(share.of(data).batch(3), share.batch_sizes(samples, batch)) for share in shares]
    assert [one.cardinality() for one in each] == [tf.data.INFINITE_CARDINALITY] * 2
    taken = [one.take(3 * len(whole)).as_numpy_iterator() for one in each]
    assert [sorted([*a, *b]) for a, b in zip(*taken, strict=True)] == 3 * whole
