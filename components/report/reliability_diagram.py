"""The reliability diagram of an evaluation and the distribution of its confidence, rendered as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from components.evaluator.results import ConfidenceBin
from components.report import formats
from components.report.charts import ShareScale

_WIDTH, _HEIGHT = 520, 250  # units of the view box, as of the curves
_LEFT, _RIGHT, _TOP, _BOTTOM = 68, 16, 14, 40
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_GAP = 1  # between bars


def accuracy_by_confidence(bins: Sequence[ConfidenceBin]) -> Markup:
    """A bar for each bin as high as its accuracy, with its distance to the mean confidence, where the diagonal is.

    Calibrated bars end at the diagonal: over it the network is overconfident, below it is underconfident.
    """
    parts = [_value_axis([(tick, f"{tick:.1f}") for tick in _TICKS]), _confidence_axis()]
    for each in bins:
        if each.accuracy is not None and each.confidence is not None:
            parts.append(_bar("value", each, 0.0, each.accuracy))
            parts.append(_bar("gap", each, *sorted((each.accuracy, each.confidence))))
            parts.append(_tooltip(each))
    diagonal = Markup('<line class="diagonal" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>')
    parts.append(diagonal.format(_x(0), _y(0), _x(1), _y(1)))
    return _svg("Reliability diagram: accuracy by confidence", parts)


def pixels_by_confidence(bins: Sequence[ConfidenceBin]) -> Markup:
    """A bar for each bin as high as its share of the pixels, on a logarithmic scale if some are small."""
    total = sum(each.pixels for each in bins)
    shares = [each.pixels / total if total else 0.0 for each in bins]
    scale = ShareScale.for_shares([share / 2 for share in shares])  # The smallest has a height too.
    ticks = scale.ticks()
    step = 1 + len(ticks) // 6
    parts = [_value_axis([(scale.place(tick), formats.percent(tick)) for tick in ticks[::-step]]), _confidence_axis()]
    for each, share in zip(bins, shares, strict=True):
        if share:
            parts += [_bar("value", each, 0.0, scale.place(share)), _tooltip(each)]
    return _svg("Share of the pixels by confidence", parts)


def _svg(label: str, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg class="curves reliability" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, _HEIGHT, label, Markup("").join(parts)
    )


def _value_axis(ticks: Sequence[tuple[float, str]]) -> Markup:
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>')
    label = Markup('<text x="{}" y="{:.1f}" class="end">{}</text>')
    return Markup("").join(
        line.format(_LEFT, _WIDTH - _RIGHT, y=_y(place)) + label.format(_LEFT - 8, _y(place) + 4, text)
        for place, text in ticks
    )


def _confidence_axis() -> Markup:
    mark = Markup('<text x="{:.1f}" y="{}" class="middle">{}</text>')
    marks = Markup("").join(mark.format(_x(tick), _HEIGHT - _BOTTOM + 16, f"{tick:.1f}") for tick in _TICKS)
    return marks + mark.format(_x(0.5), _HEIGHT - 6, "confidence")


def _bar(kind: str, each: ConfidenceBin, low: float, high: float) -> Markup:
    rect = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
    left, width = _x(each.low) + _GAP / 2, _x(each.high) - _x(each.low) - _GAP
    return rect.format(kind, left, _y(high), max(width, 0.5), _y(low) - _y(high))


def _tooltip(each: ConfidenceBin) -> Markup:
    """An invisible bar of the whole height, so that low bars have a tooltip too."""
    text = (
        f"confidence {each.low:.3f} to {each.high:.3f}: {formats.count(each.pixels)} pixels, mean confidence "
        f"{formats.ratio(each.confidence)}, accuracy {formats.ratio(each.accuracy)}"
    )
    rect = Markup('<rect class="tooltip" x="{:.1f}" y="{}" width="{:.1f}" height="{}"><title>{}</title></rect>')
    return rect.format(_x(each.low), _TOP, _x(each.high) - _x(each.low), _HEIGHT - _TOP - _BOTTOM, text)


def _x(confidence: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * min(max(confidence, 0.0), 1.0)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * min(max(share, 0.0), 1.0)
