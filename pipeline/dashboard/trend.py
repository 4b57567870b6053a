"""Chart of a metric over the versions of a registry, as inline SVG; colours come from the style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from common.plurals import counted
from components.report import formats

_WIDE, _NARROW = 800, 380
"""Widths of a chart for a desktop and for a phone, of which the style sheet shows one."""
_HEIGHT = 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 16, 34
_LABEL_WIDTH = 62
_SMALLEST_SPAN = 0.02
_DOTTED = 60


@dataclass(frozen=True)
class Point:
    """A version's value, with its interval if it is known."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    kind: str = ""
    """`served`, `withdrawn` or nothing: its class in the style sheet."""


def trend_chart(points: Sequence[Point], title: str) -> Markup:
    """Draws the points, oldest first, at equal distances; the value axis shows their range, not 0.

    There are two drawings, for wide and for narrow screens.
    """
    return _chart(points, title, _WIDE, "wide") + _chart(points, title, _NARROW, "narrow")


def _chart(points: Sequence[Point], title: str, width: int, kind: str) -> Markup:
    drawn = [point for point in points if math.isfinite(point.value)]
    if not drawn:
        return Markup("")
    ticks = _ticks(drawn)
    frame = _Frame(width, len(drawn), ticks[0], ticks[-1])
    parts = [*_value_axis(frame, ticks), *_version_axis(frame, drawn), _line(frame, drawn)]
    parts += [_mark(frame, place, point) for place, point in enumerate(drawn) if _is_marked(place, point, drawn)]
    first, last = drawn[0], drawn[-1]
    course = f"from {first.value:.3f} ({first.label}) to {last.value:.3f} ({last.label})"
    told = f"{title} over {counted(len(drawn), 'version')}, {course}"
    return Markup('<svg class="trend {}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        kind, width, _HEIGHT, told, Markup("").join(parts)
    )


def sparkline(values: Sequence[float]) -> Markup:
    """Draws the course of a few values without axes; empty for fewer than two."""
    if len(values) < 2:
        return Markup("")
    low, high = min(values), max(values)
    span = max(high - low, 1e-9)
    places = [(4 + 92 * n / (len(values) - 1), 25 - 20 * (value - low) / span) for n, value in enumerate(values)]
    path = " ".join(f"{'L' if n else 'M'}{x:.1f} {y:.1f}" for n, (x, y) in enumerate(places))
    return Markup(
        '<svg class="sparkline" viewBox="0 0 100 30" aria-hidden="true"><path d="{}"/>'
        '<circle cx="{:.1f}" cy="{:.1f}" r="3"/></svg>'
    ).format(path, *places[-1])


@dataclass(frozen=True)
class _Frame:
    width: int
    number: int
    low: float
    high: float

    def x(self, place: int) -> float:
        inner = self.width - _LEFT - _RIGHT
        return _LEFT + (inner / 2 if self.number == 1 else 14 + (inner - 28) * place / (self.number - 1))

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share


def _ticks(points: Sequence[Point]) -> list[float]:
    """Returns round values around those of the points and their intervals."""
    every = [value for p in points for value in (p.value, p.low, p.high) if formats.is_number(value)]
    low, high = min(every), max(every)
    span = max(high - low, _SMALLEST_SPAN)
    magnitude = 10.0 ** math.floor(math.log10(span / 4))
    step = next(magnitude * k for k in (1, 2, 5, 10) if magnitude * k >= span / 4 * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if first == last:
        first, last = first - 1, last + 1
    return [index * step for index in range(first, last + 1)]


def _value_axis(frame: _Frame, ticks: Sequence[float]) -> list[Markup]:
    digits = max(0, min(9, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9)))
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>')
    label = Markup('<text class="end" x="{}" y="{:.1f}">{}</text>')
    return [
        line.format(_LEFT, frame.width - _RIGHT, y=frame.y(tick))
        + label.format(_LEFT - 8, frame.y(tick) + 4, f"{tick:.{digits}f}")
        for tick in ticks
    ]


def _version_axis(frame: _Frame, points: Sequence[Point]) -> list[Markup]:
    every = max(1, math.ceil(len(points) * _LABEL_WIDTH / (frame.width - _LEFT)))
    label = Markup('<text class="middle {}" x="{:.1f}" y="{}">{}</text>')
    last = len(points) - 1
    return [
        label.format(point.kind, frame.x(place), _HEIGHT - 12, point.label)
        for place, point in enumerate(points)
        if (last - place) % every == 0
    ]


def _line(frame: _Frame, points: Sequence[Point]) -> Markup:
    path = " ".join(
        f"{'L' if place else 'M'}{frame.x(place):.1f} {frame.y(point.value):.1f}" for place, point in enumerate(points)
    )
    return Markup('<path class="course" d="{}"/>').format(path)


def _is_marked(place: int, point: Point, points: Sequence[Point]) -> bool:
    return len(points) <= _DOTTED or place == len(points) - 1 or point.kind == "served"


def _mark(frame: _Frame, place: int, point: Point) -> Markup:
    x, y = frame.x(place), frame.y(point.value)
    has_interval = formats.is_number(point.low) and formats.is_number(point.high)
    told = f"{point.label}: {point.value:.3f}" + (f" ({point.low:.3f}–{point.high:.3f})" if has_interval else "")
    whisker = Markup("")
    if formats.is_number(point.low) and formats.is_number(point.high):
        line = Markup('<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{:.1f}" y2="{:.1f}"/>')
        whisker = line.format(frame.y(point.low), frame.y(point.high), x=x)
    dot = Markup('<g class="point {}"><title>{}</title>{}<circle cx="{:.1f}" cy="{:.1f}" r="{}"/></g>')
    return dot.format(point.kind, told, whisker, x, y, 6 if point.kind == "served" else 4)
