"""Charts of the report, rendered as inline SVG.

Colours come from the page's style sheet, so that charts follow dark mode and print.  Horizontal
positions are percentages of the width: a bar is as wide as its column, and its strokes and dots are never distorted.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from common.palette import hex_colour
from components.report import formats

_WIDTH, _HEIGHT = 520, 250  # of a chart of curves, units of its view box
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 66, 14, 34
_NAME_LENGTH = 16  # letters of a class at a matrix
_LABEL_GAP = 17  # below which two labels at the ends of curves would overlap
_DOTTED = 40  # points of a curve up to which each gets a dot
_LARGEST, _SMALLEST_SPAN = 1e12, 1e-9  # what an axis can show


@dataclasses.dataclass(frozen=True)
class Curve:
    """One value per epoch, from epoch 1; `None` if missing.  `kind` is its class in the style sheet."""

    label: str
    values: tuple[float | None, ...]
    kind: str


def curves(
    lines: Sequence[Curve], best: int | None = None, ceiling: float | None = None, fine_tuned_from: int | None = None
) -> Markup:
    """Curves over the epochs, labelled at their ends, with the epochs `best` and `fine_tuned_from` marked.

    The value axis includes 0, and ends at `ceiling` at most.
    """
    points = {line: _drawable(line.values) for line in lines}
    shown = [line for line in lines if points[line]]
    if not shown:
        return Markup('<p class="none">No figures were recorded.</p>')
    epochs = max(len(line.values) for line in shown)
    values = [value for line in shown for _, value in points[line]]
    ticks = nice_ticks(min(0.0, *values), max(0.0, *values), ceiling)
    plot = _Plot(epochs, ticks[0], ticks[-1])
    parts = [_value_axis(plot, ticks), _epoch_axis(plot)]
    if fine_tuned_from is not None and 1 < fine_tuned_from <= epochs:
        parts.append(_phase_mark(plot, fine_tuned_from))
    if best is not None and 1 <= best <= epochs:
        parts.append(_best_mark(plot, best, [dict(points[line]).get(best, 0.0) for line in shown]))
    parts += [_curve(plot, line.kind, points[line]) for line in shown]
    parts += _end_labels(plot, {line: points[line][-1] for line in shown})
    return Markup('<svg class="curves" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, _HEIGHT, "Curves over the epochs: " + ", ".join(line.label for line in shown), Markup("").join(parts)
    )


def nice_ticks(low: float, high: float, ceiling: float | None = None, wanted: int = 5) -> list[float]:
    """Round values from `low` ≤ 0 or below to `high` ≥ 0 or above, about `wanted` of them, none over `ceiling` > 0."""
    high = high if ceiling is None else min(high, ceiling)
    span = high - low if high - low > _SMALLEST_SPAN else 1.0
    magnitude = 10.0 ** math.floor(math.log10(span / wanted))
    step = next(magnitude * k for k in (1, 2, 2.5, 5, 10) if magnitude * k >= span / wanted * (1 - 1e-9))
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil((low + span) / step - 1e-9), first + 1)
    ticks = [index * step for index in range(first, last + 1)]
    return ticks if ceiling is None else [tick for tick in ticks if tick <= ceiling + step * 1e-6]


def _drawable(values: Sequence[float | None]) -> list[tuple[int, float]]:
    """Returns epochs and values, without those that are missing, not finite, or absurdly large."""
    return [(epoch, value) for epoch, value in enumerate(values, 1) if value is not None and abs(value) < _LARGEST]


@dataclasses.dataclass(frozen=True)
class _Plot:
    epochs: int
    low: float
    high: float

    def x(self, epoch: int) -> float:
        inner = _WIDTH - _LEFT - _RIGHT
        return _LEFT + (inner / 2 if self.epochs == 1 else inner * (epoch - 1) / (self.epochs - 1))

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share


def _value_axis(plot: _Plot, ticks: Sequence[float]) -> Markup:
    digits = max(0, min(9, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9)))
    if any(abs(tick - round(tick, digits)) > 1e-9 * max(1.0, abs(tick)) for tick in ticks):
        digits += 1  # steps of 0.25
    text = f".{digits}f" if max(abs(tick) for tick in ticks) < 1e5 else ".3g"
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>')
    label = Markup('<text x="{}" y="{:.1f}" class="end">{}</text>')
    return Markup("").join(
        line.format(_LEFT, _WIDTH - _RIGHT, y=plot.y(tick))
        + label.format(_LEFT - 8, plot.y(tick) + 4, f"{tick:{text}}")
        for tick in ticks
    )


def _epoch_axis(plot: _Plot) -> Markup:
    step = max(1, round(plot.epochs / 6))
    shown = [1, *(e for e in range(step, plot.epochs, step) if e > 1 and plot.epochs - e >= step * 0.6), plot.epochs]
    mark = Markup('<text x="{:.1f}" y="{}" class="middle">{}</text>')
    marks = Markup("").join(mark.format(plot.x(e), _HEIGHT - 12, e) for e in dict.fromkeys(shown))
    return marks + Markup('<text x="{}" y="{}" class="axis">epoch</text>').format(_WIDTH - _RIGHT + 16, _HEIGHT - 12)


def _best_mark(plot: _Plot, best: int, values: Sequence[float]) -> Markup:
    """A line at the best epoch, with its label above or below, away from the curves' `values` there."""
    left = plot.epochs > 1 and best > plot.epochs / 2
    low = not values or min(plot.y(value) for value in values) < (_TOP + _HEIGHT - _BOTTOM) / 2
    x, label_y = plot.x(best), _HEIGHT - _BOTTOM - 8 if low else _TOP + 14
    line = Markup('<line class="best" x1="{x:.1f}" x2="{x:.1f}" y1="{}" y2="{}"/>')
    label = Markup('<text class="best {}" x="{:.1f}" y="{}">best: {}</text>')
    return line.format(_TOP, _HEIGHT - _BOTTOM, x=x) + label.format(
        "end" if left else "", x + (-6 if left else 6), label_y, best
    )


def _phase_mark(plot: _Plot, epoch: int) -> Markup:
    """A line between the epochs at which the encoder begins to be trained, with its label at the top."""
    left = epoch > plot.epochs / 2
    x = (plot.x(epoch - 1) + plot.x(epoch)) / 2
    line = Markup('<line class="phase" x1="{x:.1f}" x2="{x:.1f}" y1="{}" y2="{}"/>')
    label = Markup('<text class="phase {}" x="{:.1f}" y="{}">encoder trained</text>')
    return line.format(_TOP, _HEIGHT - _BOTTOM, x=x) + label.format(
        "end" if left else "", x + (-6 if left else 6), _TOP + 10
    )


def _curve(plot: _Plot, kind: str, points: Sequence[tuple[int, float]]) -> Markup:
    places = [(plot.x(epoch), plot.y(value)) for epoch, value in points]
    path = " ".join(f"{'L' if index else 'M'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(places))
    dot = Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="{}"/>')
    radius = 3.5 if len(places) == 1 else 2.2
    dotted = places if len(places) <= _DOTTED else places[-1:]
    return Markup('<path class="curve {}" d="{}"/>').format(kind, path) + Markup("").join(
        dot.format(kind, x, y, radius) for x, y in dotted
    )


def _end_labels(plot: _Plot, ends: Mapping[Curve, tuple[int, float]]) -> list[Markup]:
    """The curves' names at their ends, pushed apart where they would overlap, and away from the axis below."""
    label = Markup('<text class="label {}" x="{:.1f}" y="{:.1f}">{}</text>')
    downwards = sorted(ends.items(), key=lambda end: plot.y(end[1][1]))
    y_of: dict[Curve, float] = {}
    above, below = -math.inf, float(_HEIGHT - _BOTTOM + _LABEL_GAP)
    for line, (_, value) in downwards:
        above = y_of[line] = max(plot.y(value) + 4, above + _LABEL_GAP)
    for line, _ in reversed(downwards):
        below = y_of[line] = min(y_of[line], below - _LABEL_GAP)
    return [label.format(line.kind, plot.x(epoch) + 9, y_of[line], line.label) for line, (epoch, _) in downwards]


def bar(
    value: float | None, low: float | None = None, high: float | None = None, reference: float | None = None
) -> Markup:
    """A horizontal bar for a ratio in 0…1, with the whiskers of its interval and a tick where `reference` lies."""
    parts = [Markup('<rect class="track" width="100%" height="10" y="3" rx="2"/>')]
    if value is not None and formats.is_number(value):
        parts.append(Markup('<rect class="value" width="{}" height="10" y="3" rx="2"/>').format(_place(value)))
    parts.append(_reference(reference, 0, 16))
    if value is not None and low is not None and high is not None:
        parts.append(_whiskers(low, high))
    return _strip("bar", 16, parts)


def gauge(value: float | None, low: float | None, high: float | None, bound: float | None) -> Markup:
    """A ratio in 0…1 as a dot in the band of its interval, with a tick at the threshold that it must reach."""
    parts = [Markup('<rect class="track" width="100%" height="4" y="8" rx="2"/>')]
    if low is not None and high is not None and formats.is_number(low) and formats.is_number(high):
        width = f"{100 * max(0.0, _clip(high) - _clip(low)):.2f}%"
        parts.append(
            Markup('<rect class="band" x="{}" width="{}" height="14" y="3" rx="3"/>').format(_place(low), width)
        )
    parts.append(_reference(bound, 1, 19))
    if value is not None and formats.is_number(value):
        parts.append(Markup('<circle class="point" cx="{}" cy="10" r="4"/>').format(_place(value)))
    return _strip("gauge", 20, parts)


def difference(change: float | None, extent: float) -> Markup:
    """A bar to the right of the middle for a gain, to the left for a loss; `extent` reaches the edge."""
    parts = [Markup('<line class="zero" x1="50%" x2="50%" y1="0" y2="16"/>')]
    if change is not None and formats.is_number(change) and extent > 0:
        share = min(abs(change) / extent, 1.0) / 2
        start = 0.5 if change >= 0 else 0.5 - share
        kind = "better" if change >= 0 else "worse"
        rect = Markup('<rect class="{}" x="{}" width="{:.2f}%" height="10" y="3" rx="2"/>')
        parts.append(rect.format(kind, _place(start), 100 * share))
    return _strip("difference", 16, parts)


@dataclasses.dataclass(frozen=True)
class ShareScale:
    """Position of a share on a strip: linear from 0, or logarithmic if small shares would vanish."""

    lowest: float  # the left edge of a logarithmic strip; 0 makes it linear

    @classmethod
    def for_shares(cls, shares: Sequence[float]) -> ShareScale:
        """Logarithmic if a non-zero share is below 2 %."""
        positive = [share for share in shares if share > 0 and math.isfinite(share)]
        if not positive or min(positive) >= 0.02:
            return cls(0.0)
        return cls(10.0 ** max(math.floor(math.log10(min(positive))), -7))

    @property
    def logarithmic(self) -> bool:
        """Whether the scale is logarithmic."""
        return self.lowest > 0

    def place(self, share: float) -> float:
        """Maps a share in 0…1 to its position in 0…1."""
        if not self.logarithmic:
            return _clip(share)
        return _clip(1 - math.log10(max(share, self.lowest)) / math.log10(self.lowest))

    def ticks(self) -> list[float]:
        """The shares with grid lines."""
        if not self.logarithmic:
            return [0.0, 0.25, 0.5, 0.75, 1.0]
        decades = round(-math.log10(self.lowest))
        return [10.0 ** (index - decades) for index in range(decades + 1)]


def share_dots(shares: Sequence[tuple[str, float | None]], scale: ShareScale) -> Markup:
    """Shares, each with its split, as marks on one strip: the splits differ in shape as well as in colour."""
    tick = Markup('<line class="grid" x1="{0}" x2="{0}" y1="0" y2="18"/>')
    parts = [tick.format(_place(scale.place(share))) for share in scale.ticks()]
    for split, share in reversed(shares):
        if share is not None and share > 0 and math.isfinite(share):
            parts.append(split_mark(split, _place(scale.place(share))))
    return _strip("shares", 18, parts)


def share_axis(scale: ShareScale) -> Markup:
    """The axis labels of the strips."""
    ticks = scale.ticks()
    shown = ticks[::-2][::-1] if len(ticks) > 3 else ticks
    label = Markup('<text class="{}" x="{}" y="11">{}</text>')
    parts = []
    for share in shown:
        place = scale.place(share)
        anchor = "end" if place > 0.97 else "" if place < 0.03 else "middle"
        parts.append(label.format(anchor, _place(place), formats.percent(share)))
    return _strip("shares axis", 14, parts)


def split_mark(split: str, x: str = "50%") -> Markup:
    """The mark of a split, centred at `x` and 9 below the top: dot for train, diamond for eval, square for test."""
    shape = {
        "train": Markup('<circle class="train" r="4.5"/>'),
        "eval": Markup('<path class="eval" d="M0-5.5 5.5 0 0 5.5-5.5 0z"/>'),
    }.get(split, Markup('<rect class="test" x="-4" y="-4" width="8" height="8"/>'))
    return Markup('<svg class="mark" x="{}" y="9">{}</svg>').format(x, shape)


def stacked(shares: Sequence[float], void: float = 0.0) -> Markup:
    """One bar whose segments are the shares of the classes, in their colours, with void hatched at its end."""
    total = sum(shares) + void
    parts, start = [], 0.0
    segment = Markup('<rect x="{:.3f}%" width="{:.3f}%" height="22" fill="{}"><title>{}</title></rect>')
    for index, share in enumerate(shares):
        if total > 0 and share > 0:
            parts.append(segment.format(start, 100 * share / total, hex_colour(index), formats.percent(share / total)))
            start += 100 * share / total
    if total > 0 and void > 0:
        hatched = Markup('<rect x="{:.3f}%" width="{:.3f}%" height="22" class="void"><title>void</title></rect>')
        parts.append(hatched.format(start, 100 * void / total))
    return _strip("stacked", 22, parts)


def heat_map(names: Sequence[str], shares_CC: Sequence[Sequence[float | None]]) -> Markup:
    """A confusion matrix, each row a truth whose shares add up to 1; a row without pixels is empty."""
    cell = 46 if len(names) > 4 else 64
    longest = max(len(shorten(name, _NAME_LENGTH)) for name in names)
    left, top = 24 + 7 * longest, 26 + 6 * longest  # the names above stand at 48°
    size = cell * len(names)
    parts: list[Markup] = []
    for index, name in enumerate(names):
        parts.append(_row_label(name, index, left - 10, top + cell * index + cell / 2 + 4))
        parts.append(_column_label(name, left + cell * index + cell / 2 + 4, top - 10))
    for truth, row in enumerate(shares_CC):
        for prediction, share in enumerate(row):
            title = f"{names[truth]} taken for {names[prediction]}: {formats.percent(share)}"
            parts.append(_cell(left + cell * prediction, top + cell * truth, cell, share, title, truth == prediction))
    return Markup(
        '<svg class="heat" viewBox="0 0 {w} {h}" style="width:{w}px" role="img" aria-label="Confusion matrix">{}</svg>'
    ).format(Markup("").join(parts), w=left + size + 5 * longest, h=top + size + 4)


def swatch(index: int | None) -> Markup:
    """The colour of a class, or the hatching of void, for a legend."""
    fill = Markup('class="void"') if index is None else Markup('fill="{}"').format(hex_colour(index))
    return Markup('<svg class="swatch" width="12" height="12"><rect {} width="12" height="12" rx="3"/></svg>').format(
        fill
    )


def _cell(x: float, y: float, size: float, share: float | None, title: str, diagonal: bool) -> Markup:
    known = share is not None and formats.is_number(share)
    strength = _clip(share) if known and share is not None else 0.0
    text = formats.ABSENT if not known else f"{strength:.2f}" if strength >= 0.005 else "0"
    tone = "on" if strength > 0.6 else "faint" if strength < 0.005 else ""
    return Markup(
        '<g><title>{}</title><rect class="cell {}" x="{}" y="{}" width="{s}" height="{s}" rx="3"/>'
        '<rect class="heat-value {}" x="{}" y="{}" width="{s}" height="{s}" rx="3" fill-opacity="{:.3f}"/>'
        '<text class="middle {}" x="{}" y="{}">{}</text></g>'
    ).format(
        title,
        "diagonal" if diagonal else "",
        x + 1,
        y + 1,
        "right" if diagonal else "wrong",
        x + 1,
        y + 1,
        1 - (1 - strength) ** 1.6,  # small shares must be visible, and figures legible on large ones
        tone,
        x + size / 2,
        y + size / 2 + 4,
        text,
        s=size - 2,
    )


def _row_label(name: str, index: int, x: float, y: float) -> Markup:
    label = Markup('<text class="end" x="{}" y="{}">{}<title>{}</title></text>')
    return label.format(x, y, shorten(name, _NAME_LENGTH), name)


def _column_label(name: str, x: float, y: float) -> Markup:
    label = Markup('<text transform="translate({} {}) rotate(-48)">{}<title>{}</title></text>')
    return label.format(x, y, shorten(name, _NAME_LENGTH), name)


def shorten(text: str, length: int) -> str:
    """Shortens to at most `length` characters with an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _strip(kind: str, height: int, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg class="strip {}" width="100%" height="{}" aria-hidden="true">{}</svg>').format(
        kind, height, Markup("").join(parts)
    )


def _reference(value: float | None, top: int, bottom: int) -> Markup:
    if value is None or not formats.is_number(value):
        return Markup("")
    return Markup('<line class="reference" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(_place(value), top, bottom)


def _whiskers(low: float, high: float) -> Markup:
    if not (formats.is_number(low) and formats.is_number(high)):
        return Markup("")
    line = Markup('<line class="whisker" x1="{}" x2="{}" y1="{}" y2="{}"/>')
    a, b = _place(low), _place(high)
    return line.format(a, b, 8, 8) + line.format(a, a, 4.5, 11.5) + line.format(b, b, 4.5, 11.5)


def _place(share: float) -> str:
    return f"{100 * _clip(share):.2f}%"


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)
