"""How many windows of each image an epoch has."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from common.errors import UserError
from components.trainer.windows.config import WindowsConfig
from components.trainer.windows.drawing import draw_images, make_rates

AREA_N = np.array([100, 400, 900, 100])
SLICE_N = (b"a", b"a", b"b", b"b")
SHARES = {"kind": {"a": 0.75, "b": 0.25}}


def expected(config: WindowsConfig, per_epoch: int = 100) -> np.ndarray:
    return make_rates(SLICE_N, AREA_N, config, per_epoch).expected(SLICE_N, AREA_N)


@pytest.mark.parametrize(
    ("draw_by", "shares"),
    [("area", [1, 4, 9, 1]), ("root_area", [1, 2, 3, 1]), ("image", [1, 1, 1, 1])],
)
def test_images_are_drawn_by_their_area_its_root_or_alike(draw_by: str, shares: list[int]) -> None:
    wanted = 100 * np.array(shares) / sum(shares)
    np.testing.assert_allclose(expected(WindowsConfig(draw_by=draw_by)), wanted)  # type: ignore[arg-type]


def test_a_slice_value_has_its_share_and_within_it_the_area_decides() -> None:
    np.testing.assert_allclose(expected(WindowsConfig(shares=SHARES)), [25, 50, 18.75, 6.25])


def test_a_share_of_0_leaves_images_out() -> None:
    np.testing.assert_allclose(expected(WindowsConfig(shares={"kind": {"a": 0, "b": 1}}))[:2], 0)


def test_a_value_without_a_share_is_refused() -> None:
    with pytest.raises(UserError, match=r"trainer\.windows\.shares has no share for kind 'b'"):
        expected(WindowsConfig(shares={"kind": {"a": 1}}))


def test_images_that_all_have_a_share_of_0_are_refused() -> None:
    with pytest.raises(UserError, match="no training image has a share above 0"):
        expected(WindowsConfig(shares={"kind": {"a": 0, "b": 0, "c": 1}}))


def test_the_graph_computes_the_same_expected_numbers() -> None:
    rates = make_rates(SLICE_N, AREA_N, WindowsConfig(shares=SHARES), 100)
    in_graph = [float(rates.expected_in_graph(*one)) for one in zip(SLICE_N, AREA_N, strict=True)]
    np.testing.assert_allclose(in_graph, rates.expected(SLICE_N, AREA_N))


def test_an_epoch_has_exactly_its_windows_and_each_image_its_expected_number_rounded() -> None:
    expected_N = np.array([0.4, 3.7, 0.0, 1.9])
    totals = np.zeros(4)
    for epoch in range(300):
        counts_N = np.bincount(draw_images(expected_N, tf.constant([7, epoch])).numpy(), minlength=4)
        assert counts_N.sum() == 6
        assert (np.abs(counts_N - expected_N) < 1).all()
        totals += counts_N
    np.testing.assert_allclose(totals / 300, expected_N, atol=0.1)


def test_the_order_depends_on_the_seed_alone() -> None:
    expected_N = np.ones(20)
    first, again, other = (
        draw_images(expected_N, tf.constant(seed)).numpy().tolist() for seed in ([1, 2], [1, 2], [1, 3])
    )
    assert first == again != other
    assert sorted(other) == list(range(20))
