"""The table of mean IoU against time that `benchmarks.seeds --curve` prints."""

from __future__ import annotations

from benchmarks.seeds.curve import POINTS, curve_rows, score_at


def test_a_score_is_that_of_the_last_epoch_that_had_ended() -> None:
    curve = ([10.0, 5.0, 5.0], [0.2, 0.5, 0.4])
    assert score_at(curve, 9.9) is None
    assert score_at(curve, 10.0) == 0.2
    assert score_at(curve, 19.9) == 0.5
    assert score_at(curve, 25.0) == 0.4


def test_the_rows_end_with_the_shortest_training_and_have_the_spread_over_the_rounds() -> None:
    recipe = [([4.0, 4.0], [0.1, 0.3]), ([5.0, 5.0], [0.2, 0.4])]
    ours = [([2.0] * 6, [0.3, 0.4, 0.5, 0.6, 0.7, 0.8])] * 2
    head, *rows = curve_rows({"recipe": recipe, "ours": ours})
    assert head == ["seconds", "recipe", "ours"]
    assert len(rows) == POINTS
    assert rows[0] == ["1", "–", "–"]
    assert rows[-1] == ["8", "0.250 (0.200–0.300)", "0.600 (0.600–0.600)"]
