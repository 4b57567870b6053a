"""Maps the values or colours of a mask to classes by a lookup table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from common.plurals import counted
from common.records import VOID
from components.example_gen.config import ColourLabels, IndexLabels, Labels, ThresholdLabels, ValueLabels
from components.example_gen.label_lines import unknown_remedy
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

Mask = npt.NDArray[np.uint8]
"""[H, W] of class indices, and `VOID`."""

_UNKNOWN = 0  # In tables: unknown; a value that the labels name is its position among them + 1.
_SHOWN_VALUES = 6
_KEPT_VALUES = 32  # Number of a mask's unknown values that are shown; an anti-aliased mask has hundreds.
_CHUNK = 1 << 20  # Pixels counted at a time, so that counting a large mask takes little memory.

# White in files of 16 bits and more: those of 8, 10, 12, 14, 16 and 31 bits.
_WHITES = (255, 1023, 4095, 16_383, 65_535, 2**31 - 1)


@dataclass(frozen=True)
class Labelled:
    """A mask of class indices, and the values that it was made from."""

    mask_HW: Mask
    named: dict[str, int] = field(default_factory=dict)
    """Value or colour that the labels name → pixels, of those that occur; empty for thresholds."""
    unknown: dict[str, int] = field(default_factory=dict)
    """Value or colour that no label names, and that is void for that → pixels; the first 32 of them."""
    unknown_pixels: int = 0


class LabelMap(Protocol):
    """Base class of the mappings from a mask's samples to classes."""

    samples: str
    """Samples that it reads: `values` [H, W] as stored, `grey` [H, W], or `rgb` [H, W, 3]."""
    exact: bool
    """Whether every value must be one that the labels name."""

    def read(self, samples: np.ndarray) -> Labelled:
        """Returns the mask of class indices; raises `RejectionError` if a value is unknown and must not become void."""


def label_map(labels: Labels, class_names: Sequence[str]) -> LabelMap:
    """Returns the label map of the configuration."""
    if isinstance(labels, ThresholdLabels):
        return ThresholdMap(labels.at)
    index = {name: i for i, name in enumerate(class_names)}
    unknown = _Unknown(labels, tuple(class_names))
    if isinstance(labels, ColourLabels):
        colours = {_packed(colour): index[name] for colour, name in labels.classes.items()}
        return ColourMap(colours | {_packed(colour): VOID for colour in labels.void}, unknown)
    if isinstance(labels, ValueLabels):
        values = {value: index[name] for value, name in labels.classes.items()}
    else:
        assert isinstance(labels, IndexLabels)
        values = {i + labels.offset: i for i in range(len(class_names))}
    return ValueMap(values | dict.fromkeys(labels.void, VOID), unknown)


@dataclass(frozen=True)
class _Unknown:
    """Replaces values that no label names by void, or rejects the mask."""

    labels: IndexLabels | ValueLabels | ColourLabels
    class_names: tuple[str, ...]

    @property
    def is_void(self) -> bool:
        return self.labels.unknown == "void"

    def rejected(self, counts: Mapping[str, int]) -> RejectionError:
        """Returns the rejection of a mask with unknown values, value → pixels."""
        noun = "colour" if isinstance(self.labels, ColourLabels) else "value"
        nouns = f"{noun}s" if len(counts) > 1 else noun
        shown = list(counts)[:_SHOWN_VALUES]
        more = f" and {len(counts) - len(shown)} more" if len(counts) > len(shown) else ""
        detail = ", ".join(f"{value} ({counted(counts[value], 'pixel')})" for value in shown) + more
        cause = f"the mask holds the {nouns} {', '.join(shown)}, which no label names"
        if more:
            cause = f"the mask holds more than {_SHOWN_VALUES} {noun}s that no label names"
        return RejectionError(
            Reason.UNKNOWN_LABEL,
            f"the mask holds {nouns if len(counts) > 1 else 'a ' + noun} that no label names: {detail}",
            cause,
            unknown_remedy(self.labels, self.class_names, shown if not more else []),
            dict(list(counts.items())[:_KEPT_VALUES]),
        )


class _NamedMap:
    """Values of whole numbers, each of which stands for a class or for void."""

    def __init__(self, meanings: Mapping[int, int], unknown: _Unknown, length: int) -> None:
        self.exact = not unknown.is_void
        self._unknown = unknown
        self._place = {value: place for place, value in enumerate(meanings, 1)}
        self._names = [self._written(value) for value in meanings]
        self._classes = np.array([VOID, *meanings.values()], np.uint8)
        self._table = _table(self._place, length)

    @staticmethod
    def _written(value: int | float) -> str:
        return str(value)

    def _labelled(self, places_HW: np.ndarray, values_HW: np.ndarray) -> Labelled:
        """Returns the classes of `places_HW`, the positions of `values_HW` in the labels."""
        counts = _counted(places_HW, self._classes.size)
        unknown: dict[str, int] = {}
        if counts[_UNKNOWN]:
            values, pixels = np.unique(values_HW[places_HW == _UNKNOWN], return_counts=True)
            unknown = {self._written(v): n for v, n in zip(values.tolist(), pixels.tolist(), strict=True)}
        return self._decided(_looked_up(self._classes, places_HW), counts, unknown)

    def _decided(self, mask_HW: Mask, counts: npt.NDArray[np.int64], unknown: dict[str, int]) -> Labelled:
        if unknown and not self._unknown.is_void:
            raise self._unknown.rejected(unknown)
        named = {name: pixels for name, pixels in zip(self._names, counts[1:].tolist(), strict=True) if pixels}
        kept = dict(list(unknown.items())[:_KEPT_VALUES])
        return Labelled(mask_HW, named, kept, int(counts[_UNKNOWN]))


class ValueMap(_NamedMap):
    """Each value is a class, or void."""

    samples = "values"

    def __init__(self, values: Mapping[int, int], unknown: _Unknown) -> None:
        super().__init__(values, unknown, 1 << 16)
        self._narrow_classes = self._classes[self._table[:256]]

    def read(self, samples: np.ndarray) -> Labelled:
        """See `LabelMap.read`; `samples` are integers of any width, or floats that stand for integers."""
        if samples.dtype == np.uint8:
            return self._read_narrow(samples)
        if samples.dtype == np.uint16:
            return self._labelled(self._table[samples], samples)
        distinct, inverse = np.unique(samples, return_inverse=True)
        places = [self._place.get(v, _UNKNOWN) if v == v else _UNKNOWN for v in distinct.tolist()]
        return self._labelled(np.array(places, np.uint16)[inverse].reshape(samples.shape), samples)

    def _read_narrow(self, samples: npt.NDArray[np.uint8]) -> Labelled:
        """The same for 8 bits, which most masks have, by their histogram."""
        histogram = _counted(samples, 256)
        counts = np.bincount(self._table[:256], histogram, self._classes.size).astype(np.int64)
        strangers = np.flatnonzero((histogram > 0) & (self._table[:256] == _UNKNOWN)).tolist()
        unknown = {self._written(value): int(histogram[value]) for value in strangers}
        is_mask = (self._narrow_classes[histogram > 0] == np.flatnonzero(histogram)).all()
        mask_HW = samples if is_mask else _looked_up(self._narrow_classes, samples)
        return self._decided(mask_HW, counts, unknown)


class ColourMap(_NamedMap):
    """Each RGB colour is a class, or void."""

    samples = "rgb"

    def __init__(self, colours: Mapping[int, int], unknown: _Unknown) -> None:
        super().__init__(colours, unknown, 1 << 24)

    @staticmethod
    def _written(value: int | float) -> str:
        return f"#{int(value):06x}"

    def read(self, samples: np.ndarray) -> Labelled:
        """See `LabelMap.read`; `samples` is [H, W, 3] of uint8."""
        packed = samples[..., 0].astype(np.uint32) << 16
        packed |= samples[..., 1].astype(np.uint32) << 8
        packed |= samples[..., 2]
        return self._labelled(self._table[packed], packed)


class ThresholdMap:
    """Grey from a threshold on is class 1, everything below it class 0.

    The threshold is in units of 8 bits.  Greys of more bits are brought to 0…255, rounded, from the range 0…white of
    their file.  White is the greatest value of the file if that is white in 8, 10, 12, 14, 16 or 31 bits; else it is
    unknown, and the mask is rejected unless every possible white gives the same result.  A threshold of 1 is
    every value above 0 and needs no range.
    """

    samples = "grey"
    exact = False

    def __init__(self, at: int) -> None:
        self._at = at

    def read(self, samples: np.ndarray) -> Labelled:
        """See `LabelMap.read`; `samples` are greys of 8 bits, or of more bits as stored.

        A mask of 0 and 1 is not a grey image of two classes: it is rejected, because all of it would become background.
        """
        low, high = samples.min().item(), samples.max().item()
        if not low >= 0 or high == float("inf"):
            cause = "the mask holds negative or infinite values, which a threshold does not fit"
            raise RejectionError(Reason.UNKNOWN_LABEL, f"{cause} ({low:g} to {high:g})", cause, "save it as 8-bit grey")
        if self._at == 1:
            return Labelled((samples > 0).astype(np.uint8))
        if samples.dtype.kind != "f" and high == 1:
            cause, remedy = "the mask holds 0 and 1 only", "use labels of type index, or at: 1"
            detail = f"{cause}, all below the threshold {self._at}; {remedy}"
            raise RejectionError(Reason.UNKNOWN_LABEL, detail, cause, remedy)
        if samples.dtype == np.uint8:
            return Labelled((samples >= self._at).astype(np.uint8))
        return Labelled((samples >= self._limit(samples, high)).astype(np.uint8))

    def _limit(self, samples: np.ndarray, high: float) -> float:
        """The lowest value that is class 1 in a file of more than 8 bits, whose greatest value is `high`."""
        is_float = samples.dtype.kind == "f"
        whites = [white for white in (1.0, *_WHITES) if white > 1 or is_float]
        if samples.dtype == np.uint16:
            whites = [white for white in whites if white <= 65_535]
        scale = (self._at - 0.5) / 255
        if high in whites:
            return scale * high
        lowest, *others = [scale * white for white in whites if white > high] or [float("nan")]
        if lowest == lowest and not (others and ((samples >= lowest) & (samples < others[-1])).any()):
            return lowest
        cause = "the mask has more than 8 bits, and its range is not known"
        remedy = "save it with 8 bits, or use labels of type values, or at: 1"
        raise RejectionError(
            Reason.UNKNOWN_LABEL,
            f"{cause}: its greatest value is {high:g}, white is 255, 4095 or 65535; {remedy}",
            cause,
            remedy,
        )


def _packed(colour: str) -> int:
    return int(colour.removeprefix("#"), 16)


def _counted(places_HW: np.ndarray, length: int) -> npt.NDArray[np.int64]:
    """Counts each of 0…length − 1; Pillow counts 8-bit values in place, NumPy would first convert them to 64 bits."""
    if places_HW.dtype == np.uint8:
        return np.array(Image.fromarray(np.ascontiguousarray(places_HW)).histogram()[:length], np.int64)
    counts = np.zeros(length, np.int64)
    flat = places_HW.ravel()
    for start in range(0, flat.size, _CHUNK):
        counts += np.bincount(flat[start : start + _CHUNK], minlength=length)
    return counts


def _looked_up(table: npt.NDArray[np.uint8], places_HW: np.ndarray) -> Mask:
    if places_HW.dtype != np.uint8:
        return table[places_HW]
    padded = np.zeros(256, np.uint8)
    padded[: min(table.size, 256)] = table[:256]
    return np.asarray(Image.fromarray(np.ascontiguousarray(places_HW)).point(padded.tolist()))


def _table(places: Mapping[int, int], length: int) -> np.ndarray:
    # Zero pages are allocated on first access, so the table of all colours costs only what is looked up.
    table = np.zeros(length, np.uint8 if len(places) < 256 else np.uint16)
    for value, place in places.items():
        if 0 <= value < length:
            table[value] = place
    return table
