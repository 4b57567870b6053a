"""What one of several workers reads."""

from __future__ import annotations

import pytest
import tensorflow as tf

from components.trainer.sharing import Share


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
