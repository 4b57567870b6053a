"""Statistics of mask values before they become classes; mergeable in any order on any number of machines.

The size is bounded and the result independent of the order: it keeps the smallest unknown values, and of each index the
two colours whose first masks have the smallest paths.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from components.example_gen.config import ColourLabels, IndexLabels, Labels, ValueLabels
from components.example_gen.mask_samples import PaletteUse
from components.example_gen.quarantine import LabelSummary, LabelValue, PaletteConflict, Quarantined

_KEPT = 32

ColourNames = list[tuple[str, int]]
"""Path of the first mask with a colour, and the colour, by path; two at most."""


@dataclass(frozen=True)
class MaskFacts:
    """Values of one mask; for `named`, `unknown` and `unknown_pixels` see `label_map.Labelled`."""

    path: str
    named: Mapping[str, int]
    unknown: Mapping[str, int]
    unknown_pixels: int
    palette: PaletteUse | None
    classes: int
    """Number of classes that occur."""
    has_void: bool


@dataclass
class ValueCounts:
    """Value → masks and pixels."""

    masks: Counter[str] = field(default_factory=Counter)
    pixels: Counter[str] = field(default_factory=Counter)

    def add(self, pixels: Mapping[str, int]) -> None:
        """Counts one mask."""
        self.masks.update(dict.fromkeys(pixels, 1))
        self.pixels.update(pixels)

    def merge(self, other: ValueCounts) -> None:
        """Adds the counts of `other`."""
        self.masks.update(other.masks)
        self.pixels.update(other.pixels)

    def keep_first(self) -> None:
        """Drops all but the first values; those that are kept were always counted in full."""
        for value in sorted(self.masks, key=_order)[_KEPT:]:
            del self.masks[value], self.pixels[value]

    def listed(self, values: Iterable[str], class_names: Mapping[str, str] | None = None) -> tuple[LabelValue, ...]:
        """Returns the summary of `values`."""
        names = class_names or {}
        return tuple(
            LabelValue(value=v, class_name=names.get(v), masks=self.masks[v], pixels=self.pixels[v]) for v in values
        )


@dataclass
class LabelCounts:
    """Value counts over several masks."""

    named: ValueCounts = field(default_factory=ValueCounts)
    unknown: ValueCounts = field(default_factory=ValueCounts)
    unknown_pixels: int = 0
    void_beside_one_class: int = 0
    void_beside_more: int = 0
    coloured: str | None = None
    """Path of the first mask whose palette has colours, so that its indices were read."""
    grey: str | None = None
    """Path of the first mask whose palette of greys gave other values than its indices."""
    palettes: dict[int, ColourNames] = field(default_factory=dict)

    def add(self, mask: MaskFacts) -> None:
        """Counts one mask."""
        self.named.add(mask.named)
        self.unknown.add(mask.unknown)
        self.unknown.keep_first()
        self.unknown_pixels += mask.unknown_pixels
        self.void_beside_one_class += mask.has_void and mask.classes == 1
        self.void_beside_more += mask.has_void and mask.classes > 1
        if mask.palette is not None:
            self._add_palette(mask.path, mask.palette)

    def _add_palette(self, path: str, palette: PaletteUse) -> None:
        if not palette.coloured:
            self.grey = _first(self.grey, path)
            return
        self.coloured = _first(self.coloured, path)
        for index, colour in palette.colours.items():
            self.palettes[index] = _merged(self.palettes.get(index, []), [(path, colour)])

    def merge(self, other: LabelCounts) -> None:
        """Adds the counts of `other` to this one."""
        self.named.merge(other.named)
        self.unknown.merge(other.unknown)
        self.unknown.keep_first()
        self.unknown_pixels += other.unknown_pixels
        self.void_beside_one_class += other.void_beside_one_class
        self.void_beside_more += other.void_beside_more
        self.coloured = _first(self.coloured, other.coloured)
        self.grey = _first(self.grey, other.grey)
        for index, colours in other.palettes.items():
            self.palettes[index] = _merged(self.palettes.get(index, []), colours)

    def summary(self, labels: Labels, class_names: Sequence[str], quarantined: Iterable[Quarantined]) -> LabelSummary:
        """Returns the summary of a whole data set."""
        refused = ValueCounts()
        for entry in quarantined:
            refused.add(entry.values)
        frequent = sorted(refused.masks, key=lambda value: (-refused.masks[value], _order(value)))[:_KEPT]
        return LabelSummary(
            type=labels.type,
            values=self.named.listed(sorted(self.named.masks, key=_order), _class_names(labels, class_names)),
            unknown=self.unknown.listed(sorted(self.unknown.masks, key=_order)),
            unknown_pixels=self.unknown_pixels,
            quarantined=refused.listed(frequent),
            void_beside_one_class=self.void_beside_one_class,
            void_beside_more=self.void_beside_more,
            palettes=tuple(self._conflicts()),
        )

    def _conflicts(self) -> Iterable[PaletteConflict]:
        if self.grey is not None and self.coloured is not None:
            yield PaletteConflict(first=self.grey, second=self.coloured)
        for index, colours in sorted(self.palettes.items()):
            if len(colours) > 1:
                (first, one), (second, other) = colours
                yield PaletteConflict(first=first, second=second, index=index, colours=(f"#{one:06x}", f"#{other:06x}"))


def _class_names(labels: Labels, class_names: Sequence[str]) -> dict[str, str]:
    """Value or colour → name of its class, as the label map writes them."""
    if isinstance(labels, IndexLabels):
        named = {str(index + labels.offset): name for index, name in enumerate(class_names)}
    elif isinstance(labels, ValueLabels):
        named = {str(value): name for value, name in labels.classes.items()}
    elif isinstance(labels, ColourLabels):
        named = {colour.lower(): name for colour, name in labels.classes.items()}
        return {v: name for v, name in named.items() if v not in {void.lower() for void in labels.void}}
    else:
        return {}
    return {value: name for value, name in named.items() if value not in set(map(str, labels.void))}


def _order(value: str) -> tuple[float, str]:
    """Sorts numbers by size, colours by their digits."""
    if value.startswith("#"):
        return float(int(value[1:], 16)), value
    number = float(value)
    return (number if number == number else float("inf")), value


def _first(one: str | None, other: str | None) -> str | None:
    return min((path for path in (one, other) if path is not None), default=None)


def _merged(one: ColourNames, other: ColourNames) -> ColourNames:
    first: dict[int, str] = {}
    for path, colour in (*one, *other):
        first[colour] = min(path, first.get(colour, path))
    return sorted((path, colour) for colour, path in first.items())[:2]
