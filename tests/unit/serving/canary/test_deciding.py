"""The rule for canaries: what it decides, its rate of false alarms, and its power against planted faults."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from registry.canary_policy import CanaryLimits, CanaryPolicy
from serving.canary.deciding import checkpoints, compare, decide
from serving.canary.observations import Observations, Sample
from serving.canary.verdict import Promote, RollBack, Verdict, Wait

CLASSES = ("ground", "roof", "tree")
ANY_DIFFERENCE = CanaryLimits(error_rate=0, latency_ratio=1, agreement=0, confidence=0, class_fraction=0)
"""Limits that leave the decision to the tests alone."""


def samples(
    random: np.random.Generator,
    images: int,
    errors: float = 0.02,
    slower: float = 1.0,
    less_confident: float = 0.0,
    more_roof: float = 0.0,
) -> list[Sample]:
    """Answers to images as a model gives them: skewed latencies, dependent features, absent classes."""
    answered = random.random(images) >= errors
    seconds = slower * random.lognormal(-3, 0.4, images)
    roof = np.clip(np.where(random.random(images) < 0.6, 0, random.beta(2, 6, images)) + more_roof, 0, 1)
    tree = (1 - roof) * random.beta(2, 3, images)
    confidence = np.clip(0.9 - 0.3 * roof + random.normal(0, 0.03, images) - less_confident, 0, 1)
    fractions = np.stack([1 - roof - tree, roof, tree], axis=1)
    return [
        Sample(True, seconds[i], confidence[i], dict(zip(CLASSES, fractions[i].tolist(), strict=True)))
        if answered[i]
        else Sample(False)
        for i in range(images)
    ]


def run(stable: Sequence[Sample], canary: Sequence[Sample], policy: CanaryPolicy, agreement: float = 0.98) -> Verdict:
    """The first verdict that is not to wait, as images arrive."""
    for images in checkpoints(policy):
        agreements = [agreement] * images
        verdict = decide(Observations(stable[:images], canary[:images], 1, agreements), policy)
        if not isinstance(verdict, Wait):
            return verdict
    raise AssertionError("no decision after all images")


# ---- when something is decided ---------------------------------------------------------------------------------------


def test_samples_are_compared_at_doubling_numbers_and_at_the_last() -> None:
    assert checkpoints(CanaryPolicy()) == (50, 100, 200, 400, 500)
    assert checkpoints(CanaryPolicy(images=400)) == (50, 100, 200, 400)
    assert checkpoints(CanaryPolicy(images=50)) == (50,)


def test_too_few_images_are_waited_for() -> None:
    few = samples(np.random.default_rng(0), 49)
    verdict = decide(Observations(few, few, 1, note="version 2 is not loaded yet"), CanaryPolicy())
    assert isinstance(verdict, Wait)
    assert not verdict.is_overdue
    assert verdict.reason == "49 images compared, and a decision needs 50; version 2 is not loaded yet"


def test_when_the_time_is_over_a_canary_with_too_few_images_stays_or_is_rolled_back() -> None:
    nothing = Observations((), (), 60)
    stays = decide(nothing, CanaryPolicy(minutes=60))
    assert isinstance(stays, Wait)
    assert stays.is_overdue
    assert stays.reason.endswith("the time of 60 minutes is over, and it stays until there are enough")
    goes = decide(nothing, CanaryPolicy(minutes=60, when_too_few="roll_back"))
    assert isinstance(goes, RollBack)
    assert goes.reason == "0 images compared, and a decision needs 50; the time of 60 minutes is over"


def test_when_the_time_is_over_fewer_images_decide() -> None:
    random = np.random.default_rng(1)
    stable, canary = samples(random, 70), samples(random, 70)
    assert isinstance(decide(Observations(stable, canary, 59), CanaryPolicy(minutes=60)), Wait)
    verdict = decide(Observations(stable, canary, 60), CanaryPolicy(minutes=60))
    assert isinstance(verdict, Promote)
    assert verdict.reason.startswith("not worse on 70 images in 60 minutes: error rate ")


def test_the_reason_names_what_is_worse_with_value_and_limit() -> None:
    stable = [Sample(True, 0.1, 0.9, {"roof": 0.2})] * 50
    canary = [Sample(True, 0.1, 0.9, {"roof": 0.2})] * 25 + [Sample(False)] * 25
    verdict = decide(Observations(stable, canary, 1), CanaryPolicy())
    assert isinstance(verdict, RollBack)
    assert verdict.reason == "worse on 50 images: error rate 50.00%, served 0.00% (limit +1.00%)"


@given(
    st.lists(
        st.builds(
            Sample,
            st.booleans(),
            st.none() | st.floats(0, 10),
            st.none() | st.floats(0, 1),
            st.none() | st.dictionaries(st.sampled_from(CLASSES), st.floats(0, 1), max_size=3),
        ),
        max_size=12,
    ),
    st.integers(0, 60),
    st.floats(0, 100),
    st.lists(st.floats(0, 1), max_size=20),
)
@settings(max_examples=60)
def test_any_observations_have_one_verdict_with_a_reason(
    kinds: list[Sample], images: int, minutes: float, agreements: list[float]
) -> None:
    policy = CanaryPolicy(least_images=10, images=40, minutes=50)
    stable = [kinds[index % len(kinds)] for index in range(images)] if kinds else []
    canary = list(reversed(stable))
    seen = Observations(stable, canary, minutes, agreements)
    verdict = decide(seen, policy)
    assert isinstance(verdict, (Promote, RollBack, Wait))
    assert verdict.reason
    assert verdict == decide(seen, policy), "it depends on nothing else"
    if len(stable) < policy.least_images:
        assert isinstance(verdict, Wait)
    elif images >= policy.images or minutes >= policy.minutes:
        assert not isinstance(verdict, Wait)


def test_images_after_a_comparison_do_not_change_it_before_the_next_one() -> None:
    random = np.random.default_rng(2)
    stable, canary = samples(random, 99), samples(random, 99)
    policy = CanaryPolicy(limits=ANY_DIFFERENCE)
    found = [decide(Observations(stable[:n], canary[:n], 1), policy).findings for n in (50, 70, 99)]
    assert found[0] == found[1] == found[2]


# ---- definitions -----------------------------------------------------------------------------------------------------


def test_the_p_values_are_those_of_scipy_before_their_correction() -> None:
    random = np.random.default_rng(3)
    stable, canary = samples(random, 80), samples(random, 80, errors=0.2, slower=1.2)
    by_name = {finding.criterion: finding for finding in compare(Observations(stable, canary, 1), CanaryPolicy())}
    failed = [sum(not each.answered for each in group) for group in (stable, canary)]
    fisher = stats.fisher_exact([[failed[1], 80 - failed[1]], [failed[0], 80 - failed[0]]], alternative="greater")[1]
    seconds = [[each.seconds for each in group if each.seconds is not None] for group in (stable, canary)]
    slower = stats.mannwhitneyu(seconds[1], seconds[0], alternative="greater").pvalue
    least = min(fisher, slower)
    criterion = "error_rate" if fisher == least else "latency_ratio"
    assert by_name[criterion].p_value == pytest.approx(least * len(by_name), rel=0.02)
    assert by_name["error_rate"].value == pytest.approx((failed[1] - failed[0]) / 80)
    assert by_name["latency_ratio"].value == pytest.approx(np.median(seconds[1]) / np.median(seconds[0]), rel=1e-3)
    assert "agreement" not in by_name, "nothing was given to both"


# ---- false alarms ----------------------------------------------------------------------------------------------------


def rolled_back(canaries: int, rate: float, seed: int = 4) -> int:
    """How many of so many canaries, equal to the served version, are rolled back; any difference is beyond a limit."""
    random = np.random.default_rng(seed)
    policy = CanaryPolicy(images=400, false_alarms=rate, limits=ANY_DIFFERENCE)
    verdicts = (run(samples(random, 400), samples(random, 400), policy) for _ in range(canaries))
    return sum(isinstance(verdict, RollBack) for verdict in verdicts)


def test_few_of_40_equal_canaries_are_rolled_back() -> None:
    assert rolled_back(40, rate=0.05) <= 6  # 2 are expected at most, σ = 1.4.


@pytest.mark.slow
def test_of_2000_equal_canaries_two_per_cent_are_rolled_back_at_most() -> None:
    assert rolled_back(2000, rate=0.02, seed=5) <= 55  # 40 are expected at most, σ = 6.3.


def test_a_canary_at_the_limit_of_agreement_is_not_a_reason_by_chance() -> None:
    random = np.random.default_rng(6)
    alarms = 0
    for _ in range(100):
        answers = [Sample(True, 0.1, 0.9)] * 100
        seen = Observations(answers, answers, 1, random.beta(8, 2, 100).tolist())
        policy = CanaryPolicy(images=100, least_images=100, false_alarms=0.05, limits=CanaryLimits(agreement=0.8))
        alarms += isinstance(decide(seen, policy), RollBack)
    assert alarms <= 8  # 2.5 are expected at most: the level is divided by two comparisons.


# ---- power -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("worse", "criterion", "images"),
    [
        ({"errors": 0.5}, "error_rate", 50),
        ({"errors": 0.15}, "error_rate", 400),
        ({"slower": 2.5}, "latency_ratio", 50),
        ({"less_confident": 0.15}, "confidence", 50),
        ({"more_roof": 0.3}, "class_fraction/roof", 50),
    ],
)
def test_a_worse_canary_is_rolled_back_early(worse: dict[str, float], criterion: str, images: int) -> None:
    random = np.random.default_rng(7)
    for _ in range(10):
        verdict = run(samples(random, 500), samples(random, 500, **worse), CanaryPolicy())
        assert isinstance(verdict, RollBack)
        assert criterion in {finding.criterion for finding in verdict.findings if finding.violated}
        assert verdict.images <= images


def test_a_canary_that_finds_something_else_is_rolled_back() -> None:
    random = np.random.default_rng(8)
    verdict = run(samples(random, 500), samples(random, 500), CanaryPolicy(), agreement=0.4)
    assert isinstance(verdict, RollBack)
    assert verdict.reason.startswith("worse on 50 images: agreement on 40.0% of the pixels (limit 80.0%)")


def test_an_equal_and_a_better_canary_are_promoted_after_all_images() -> None:
    random = np.random.default_rng(9)
    for better in ({}, {"errors": 0.0, "slower": 0.5}):
        verdict = run(samples(random, 500), samples(random, 500, **better), CanaryPolicy())
        assert isinstance(verdict, Promote)
        assert verdict.images == 500


def test_a_difference_within_the_limits_does_not_matter_however_significant_it_is() -> None:
    random = np.random.default_rng(10)
    verdict = run(samples(random, 500), samples(random, 500, slower=1.3), CanaryPolicy())
    assert isinstance(verdict, Promote)
    assert any(finding.p_value < 1e-6 for finding in verdict.findings)


# ---- latencies of the same images ------------------------------------------------------------------------------------


def timed(seconds_N: np.ndarray) -> list[Sample]:
    return [Sample(True, seconds) for seconds in seconds_N.tolist()]


def latency_on_a_busy_machine(slower: float, seed: int, is_paired: bool) -> bool:
    """Whether a canary's latency is found violated by 40 images, on a machine that others make slow now and then."""
    random = np.random.default_rng(seed)
    busy_N = random.lognormal(-3, 1.5, 40)
    stable, canary = (timed(busy_N * factor * random.lognormal(0, 0.2, 40)) for factor in (1, slower))
    found = compare(Observations(stable, canary, 1, is_paired=is_paired), CanaryPolicy(images=40, least_images=40))
    return next(each.violated for each in found if each.criterion == "latency_ratio")


def test_pairs_show_a_slow_canary_where_the_load_hides_it() -> None:
    found = {pairs: sum(latency_on_a_busy_machine(2, seed, pairs) for seed in range(20)) for pairs in (True, False)}
    assert found[True] == 20 and found[False] <= 5


def test_pairs_of_equal_versions_are_not_told_apart() -> None:
    assert sum(latency_on_a_busy_machine(1, seed, is_paired=True) for seed in range(200)) <= 4


def test_pairs_are_compared_by_wilcoxons_test() -> None:
    random = np.random.default_rng(0)
    seconds_2N = random.lognormal(-3, 0.5, [2, 50])
    policy = CanaryPolicy(limits=ANY_DIFFERENCE)
    found = compare(Observations(*(timed(each) for each in seconds_2N), 1, is_paired=True), policy)
    by_name = {each.criterion: each for each in found}
    expected = stats.wilcoxon(np.log(seconds_2N[1] / seconds_2N[0]), alternative="greater").pvalue
    assert by_name["latency_ratio"].p_value == pytest.approx(min(1, 2 * expected))
    equal = compare(Observations(*(timed(seconds_2N[0]) for _ in range(2)), 1, is_paired=True), policy)
    assert next(each.p_value for each in equal if each.criterion == "latency_ratio") == 1


def test_only_images_that_both_answered_are_pairs() -> None:
    stable, canary = timed(np.full(60, 0.1)), timed(np.full(60, 0.1))
    canary[:45] = [Sample(False)] * 45
    found = compare(Observations(stable, canary, 1, is_paired=True), CanaryPolicy())
    assert next(each.value for each in found if each.criterion == "latency_ratio") == 1
    canary[:51] = [Sample(False)] * 51
    found = compare(Observations(stable, canary, 1, is_paired=True), CanaryPolicy())
    assert "latency_ratio" not in {each.criterion for each in found}, "nine pairs are too few"
