"""From the values or colours of a mask to classes, by looking them up in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from components.example_gen.config import ColourLabels, IndexLabels, Labels, ThresholdLabels, ValueLabels
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import Rejected
from components.records import VOID

Mask = npt.NDArray[np.uint8]
"""[H, W] of class indices, and `VOID`."""

_UNKNOWN = 0  # In tables: not known; a class is its index + 1, void is `VOID` + 1.
_SHOWN_VALUES = 6


class LabelMap(Protocol):
    """What a mask's samples mean."""

    samples: str
    """What it wants to see of a mask: `values` [H, W] as stored, `grey` [H, W] of 8 bits, or `rgb` [H, W, 3]."""

    def classes(self, samples: np.ndarray) -> Mask:
        """The mask of class indices; raises `Rejected` where a value is unknown and not to be void."""


def label_map(labels: Labels, class_names: Sequence[str]) -> LabelMap:
    """The map that the configuration describes."""
    if isinstance(labels, ThresholdLabels):
        return ThresholdMap(labels.at)
    index = {name: i for i, name in enumerate(class_names)}
    unknown_is_void = labels.unknown == "void"
    if isinstance(labels, ColourLabels):
        colours = {_packed(colour): index[name] for colour, name in labels.classes.items()}
        return ColourMap(colours | {_packed(colour): VOID for colour in labels.void}, unknown_is_void)
    if isinstance(labels, ValueLabels):
        values = {value: index[name] for value, name in labels.classes.items()}
    else:
        assert isinstance(labels, IndexLabels)
        values = {i + labels.offset: i for i in range(len(class_names))}
    return ValueMap(values | dict.fromkeys(labels.void, VOID), unknown_is_void)


class ValueMap:
    """Each value is a class, or void."""

    samples = "values"

    def __init__(self, values: Mapping[int, int], unknown_is_void: bool) -> None:
        self._values = dict(values)
        self._unknown_is_void = unknown_is_void
        self._table = _table(values, 1 << 16)

    def classes(self, samples: np.ndarray) -> Mask:
        """See `LabelMap.classes`; `samples` are integers of any width, or floats that stand for integers."""
        if samples.dtype in (np.uint8, np.uint16):
            codes = self._table[: np.iinfo(samples.dtype).max + 1][samples]
        else:
            distinct, inverse = np.unique(samples, return_inverse=True)
            known = np.array([self._values.get(v, -1) + 1 if v == v else _UNKNOWN for v in distinct.tolist()])
            codes = known.astype(np.uint16)[inverse].reshape(samples.shape)
        return _decided(codes, samples, self._unknown_is_void, "value", str)


class ColourMap:
    """Each RGB colour is a class, or void."""

    samples = "rgb"

    def __init__(self, colours: Mapping[int, int], unknown_is_void: bool) -> None:
        self._unknown_is_void = unknown_is_void
        self._table = _table(colours, 1 << 24)

    def classes(self, samples: np.ndarray) -> Mask:
        """See `LabelMap.classes`; `samples` is [H, W, 3] of uint8."""
        packed = samples[..., 0].astype(np.uint32) << 16
        packed |= samples[..., 1].astype(np.uint32) << 8
        packed |= samples[..., 2]
        return _decided(self._table[packed], packed, self._unknown_is_void, "colour", lambda v: f"#{int(v):06x}")


class ThresholdMap:
    """Grey from a threshold on is class 1, everything below it class 0."""

    samples = "grey"

    def __init__(self, at: int) -> None:
        self._at = at

    def classes(self, samples: np.ndarray) -> Mask:
        """See `LabelMap.classes`.

        A mask of 0 and 1 is no grey picture of two classes: it is refused, lest all of it become background.
        """
        if self._at > 1 and samples.max() == 1:
            raise Rejected(
                Reason.UNKNOWN_LABEL,
                f"the mask holds 0 and 1 only, all below the threshold {self._at}; use labels of type index, or at: 1",
            )
        return (samples >= self._at).astype(np.uint8)


def _packed(colour: str) -> int:
    return int(colour.removeprefix("#"), 16)


def _table(meanings: Mapping[int, int], length: int) -> npt.NDArray[np.uint16]:
    # Zeros are not resident until they are touched, so that the table of all colours costs what is looked up.
    table = np.zeros(length, np.uint16)
    for value, meaning in meanings.items():
        if 0 <= value < length:
            table[value] = meaning + 1
    return table


def _decided(codes: np.ndarray, samples: np.ndarray, unknown_is_void: bool, noun: str, write: object) -> Mask:
    unknown = codes == _UNKNOWN
    if not unknown.any():
        return (codes - 1).astype(np.uint8)
    if unknown_is_void:
        return np.where(unknown, VOID, codes - 1).astype(np.uint8)
    values, counts = np.unique(samples[unknown], return_counts=True)
    assert callable(write)
    shown = ", ".join(f"{write(v)} ({n} pixels)" for v, n in zip(values[:_SHOWN_VALUES], counts, strict=False))
    more = f" and {len(values) - _SHOWN_VALUES} more" if len(values) > _SHOWN_VALUES else ""
    plural = "s" if len(values) > 1 else ""
    raise Rejected(Reason.UNKNOWN_LABEL, f"the mask holds {noun}{plural} that no label names: {shown}{more}")
