"""Decides on a canary: compares its samples with those of the served version, criterion by criterion.

A criterion is violated if the canary is worse by more than its limit, and by more than chance explains: each has a
one-sided test (Fisher's for errors, Mann and Whitney's for latency and confidence, Student's for agreement,
Kolmogorov and Smirnov's for the classes).  Latencies of the same images are compared in pairs, by Wilcoxon's signed
ranks: whatever else the machine computes makes both versions slow.  Samples are compared when their number reaches one
of few sizes, each twice the one before, and always the first so many.  Holm's correction over the criteria and
Bonferroni's over these comparisons keep the probability that a canary equal to the served version is rolled back below
`CanaryPolicy.false_alarms`.  The tests assume independent images, as the drift monitor does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import stats

from common.plurals import counted
from common.two_samples import Values, as_values, distance, holm, p_values
from registry.canary_policy import CanaryLimits, CanaryPolicy
from serving.canary.observations import Observations, Sample
from serving.canary.verdict import Finding, Promote, RollBack, Wait

_LEAST_VALUES = 10
"""Known values of each version that a criterion needs to be tested."""


def decide(observations: Observations, policy: CanaryPolicy) -> Promote | RollBack | Wait:
    """Returns what to do with the canary now."""
    is_over = observations.minutes >= policy.minutes
    if observations.images < policy.least_images:
        return _with_too_few(observations, policy, is_over)
    is_last = is_over or observations.images >= policy.images
    count = _images_to_compare(observations.images, policy, is_over)
    findings = compare(observations.first(count), policy)
    violated = [finding.text for finding in findings if finding.violated]
    if violated:
        return RollBack(f"worse on {counted(count, 'image')}: {'; '.join(violated)}", count, findings)
    known = "; ".join(finding.text for finding in findings)
    if is_last:
        time = f" in {counted(policy.minutes, 'minute')}" if count < policy.images else ""
        return Promote(f"not worse on {counted(count, 'image')}{time}: {known}", count, findings)
    return Wait(
        f"{observations.images} of {counted(policy.images, 'image')} compared, not worse so far: {known}",
        count,
        findings,
    )


def checkpoints(policy: CanaryPolicy) -> tuple[int, ...]:
    """Returns the numbers of images at which samples are compared; the last one decides."""
    doublings = math.ceil(math.log2(policy.images / policy.least_images))
    early = (policy.least_images << power for power in range(doublings))
    return (*early, policy.images)


def compare(observations: Observations, policy: CanaryPolicy) -> tuple[Finding, ...]:
    """Compares all samples once, at the level of one of the comparisons that the policy makes."""
    found = list(_findings(observations, policy.limits))
    corrected = holm(np.array([finding.p_value for finding in found])).tolist()
    level = policy.false_alarms / (len(checkpoints(policy)) + 1)  # One more: the end of the time.
    return tuple(
        finding._replace(p_value=p, violated=finding.beyond and p < level)
        for finding, p in zip(found, corrected, strict=True)
    )


def _with_too_few(observations: Observations, policy: CanaryPolicy, is_over: bool) -> RollBack | Wait:
    count = observations.images
    reason = f"{counted(count, 'image')} compared, and a decision needs {policy.least_images}"
    if observations.note:
        reason = f"{reason}; {observations.note}"
    if not is_over:
        return Wait(reason, count)
    reason = f"{reason}; the time of {counted(policy.minutes, 'minute')} is over"
    if policy.when_too_few == "roll_back":
        return RollBack(reason, count)
    return Wait(f"{reason}, and it stays until there are enough", count, is_overdue=True)


def _images_to_compare(images: int, policy: CanaryPolicy, is_over: bool) -> int:
    if images >= policy.images:
        return policy.images
    return images if is_over else max(size for size in checkpoints(policy) if size <= images)


def _findings(observations: Observations, limits: CanaryLimits) -> Iterator[Finding]:
    stable, canary = observations.stable, observations.canary
    yield _errors(stable, canary, limits.error_rate)
    seconds = _latencies(observations)
    if seconds is not None:
        yield _latency(*seconds, limits.latency_ratio, observations.is_paired)
    if len(observations.agreements) >= _LEAST_VALUES:
        yield _agreement(np.array(observations.agreements, np.float64), limits.agreement)
    confidences = _known([each.confidence for each in stable], [each.confidence for each in canary])
    if confidences is not None:
        yield _confidence(*confidences, limits.confidence)
    for name in _class_names(stable, canary):
        fractions = _known([_fraction(each, name) for each in stable], [_fraction(each, name) for each in canary])
        if fractions is not None:
            yield _class_fraction(name, *fractions, limits.class_fraction)


def _errors(stable: Sequence[Sample], canary: Sequence[Sample], limit: float) -> Finding:
    failed = [sum(not each.answered for each in samples) for samples in (stable, canary)]
    sizes = [len(stable), len(canary)]
    table = [[failed[1], sizes[1] - failed[1]], [failed[0], sizes[0] - failed[0]]]
    rates = [count / size for count, size in zip(failed, sizes, strict=True)]
    p_value = float(stats.fisher_exact(table, alternative="greater")[1])
    increase = rates[1] - rates[0]
    text = f"error rate {rates[1]:.2%}, served {rates[0]:.2%} (limit +{limit:.2%})"
    return Finding("error_rate", increase, limit, increase > limit, p_value, text)


def _latencies(observations: Observations) -> tuple[Values, Values] | None:
    """Returns the latencies of both versions, of the same images if these are paired; `None` if they are too few."""
    stable = [each.seconds for each in observations.stable]
    canary = [each.seconds for each in observations.canary]
    if observations.is_paired:
        both = [(one, other) for one, other in zip(stable, canary, strict=True) if one and other]
        stable, canary = [one for one, _ in both], [other for _, other in both]
    return _known(stable, canary)


def _latency(stable_N: Values, canary_N: Values, limit: float, is_paired: bool) -> Finding:
    served, tried = float(np.median(stable_N)), float(np.median(canary_N))
    ratio = tried / served if served else 1.0
    text = f"median latency {tried * 1000:.3g} ms, served {served * 1000:.3g} ms (limit {limit:g} times)"
    p_value = _slower(stable_N, canary_N) if is_paired else _greater(canary_N, stable_N)
    return Finding("latency_ratio", ratio, limit, ratio > limit, p_value, text)


def _agreement(shares_N: Values, limit: float) -> Finding:
    mean = float(shares_N.mean())
    if np.ptp(shares_N) == 0:
        p_value = float(mean >= limit)
    else:
        p_value = float(stats.ttest_1samp(shares_N, limit, alternative="less").pvalue)
    text = f"agreement on {mean:.1%} of the pixels (limit {limit:.1%})"
    return Finding("agreement", mean, limit, mean < limit, p_value, text)


def _confidence(stable_N: Values, canary_N: Values, limit: float) -> Finding:
    served, tried = float(stable_N.mean()), float(canary_N.mean())
    text = f"mean confidence {tried:.3f}, served {served:.3f} (limit −{limit:g})"
    return Finding("confidence", served - tried, limit, served - tried > limit, _greater(stable_N, canary_N), text)


def _class_fraction(name: str, stable_N: Values, canary_N: Values, limit: float) -> Finding:
    served, tried = float(stable_N.mean()), float(canary_N.mean())
    far = np.array([distance(stable_N, canary_N)])
    p_value = float(p_values(far, np.array([stable_N.size]), np.array([canary_N.size]))[0])
    change = abs(tried - served)
    text = f"class {name} on {tried:.1%} of the pixels, served {served:.1%} (limit ±{limit:.1%})"
    return Finding(f"class_fraction/{name}", change, limit, change > limit, p_value, text)


def _slower(stable_N: Values, canary_N: Values) -> float:
    """Returns the p-value of Wilcoxon's signed-rank test that the canary is slower on the same images."""
    ratio_N = np.log(canary_N / stable_N)
    if not ratio_N.any():
        return 1.0
    return float(stats.wilcoxon(ratio_N, alternative="greater").pvalue)


def _greater(larger_N: Values, smaller_N: Values) -> float:
    """Returns the p-value of Mann and Whitney's test that the first sample tends to be larger."""
    if np.ptp(np.concatenate([larger_N, smaller_N])) == 0:
        return 1.0
    return float(stats.mannwhitneyu(larger_N, smaller_N, alternative="greater", method="asymptotic").pvalue)


def _known(stable: Sequence[float | None], canary: Sequence[float | None]) -> tuple[Values, Values] | None:
    """Returns the known values of both; `None` if one has too few."""
    values = as_values(stable), as_values(canary)
    return values if min(each.size for each in values) >= _LEAST_VALUES else None


def _class_names(*groups: Sequence[Sample]) -> list[str]:
    return list(dict.fromkeys(name for samples in groups for each in samples for name in each.class_fractions or ()))


def _fraction(sample: Sample, name: str) -> float | None:
    """Returns the share of a class, which is 0 if the version does not know it."""
    return None if sample.class_fractions is None else sample.class_fractions.get(name, 0.0)
