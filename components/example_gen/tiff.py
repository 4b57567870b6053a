"""Directories of a TIFF file (TIFF 6.0, section 2; BigTIFF): number of images, and orientation of the first."""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from common.orientation import ORIENTATION_TAG, SHORT, UPRIGHT, first_orientation

MAX_DIRECTORIES = 1000
"""Most directories that are read: a file with more holds more than one image in any case."""

_NEW_SUBFILE_TYPE, _SUBFILE_TYPE, _SUB_DIRECTORIES = 254, 255, 330
_BITS_PER_SAMPLE = 258
_SAMPLE_FORMAT, _UNSIGNED = 339, 1  # TIFF 6.0, section 19.
_PHOTOMETRIC, _WHITE_IS_ZERO, _BLACK_IS_ZERO = 262, 0, 1  # TIFF 6.0, section 8.
_DESCRIPTION = 270
_LONGEST_DESCRIPTION = 1 << 16
_REDUCED, _MASK = 1, 4
_REDUCED_OLD = 2
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
"""TIFF's type of an unsigned number or an offset → NumPy's."""


class _Layout(NamedTuple):
    """Field sizes of a file; TIFF has offsets of four bytes, BigTIFF of eight."""

    order: str
    offset: str
    first: int
    """Position of the first directory's offset."""
    entries: str
    """NumPy's type of a directory's number of entries."""
    field: int
    """Bytes of an entry's value."""

    @property
    def entry(self) -> np.dtype[np.void]:
        order, offset = self.order, self.offset
        fields = [("tag", f"{order}u2"), ("kind", f"{order}u2"), ("count", f"{order}{offset}")]
        return np.dtype([*fields, ("value", f"V{self.field}")])


_LAYOUTS = {
    b"II*\0": _Layout("<", "u4", 4, "u2", 4),
    b"MM\0*": _Layout(">", "u4", 4, "u2", 4),
    b"II+\0": _Layout("<", "u8", 8, "u8", 8),
    b"MM\0+": _Layout(">", "u8", 8, "u8", 8),
}


@dataclass(frozen=True)
class _Directory:
    place: int
    """Offset of its first entry."""
    entries: npt.NDArray[np.void]
    following: int
    """Offset of the next directory; 0 where there is none."""


class TiffFile:
    """The directories of a TIFF file's bytes; nothing is decoded.

    Methods raise `ValueError` if a list of directories or of their entries is damaged.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._layout = _LAYOUTS[data[:4]]

    def images(self) -> int:
        """Returns the number of images; `MAX_DIRECTORIES` means that many or more.

        Copies of lower resolution (overviews, thumbnails) and transparency masks do not count as images, unless
        such a copy comes first, and would be read.
        """
        directories = list(self._directories())
        own = [self._is_image(directory) for directory in directories]
        return max(sum(own) + (not own[0]), self._stacked(directories[0]))

    def orientation(self) -> int:
        """The orientation of the first image: the tag as a SHORT, alone, 1 to 8; else 1."""
        found = self._tagged(self._first, ORIENTATION_TAG)
        return first_orientation(
            (ORIENTATION_TAG, int(entry["kind"]), int(entry["count"]), self._number(entry) or 0) for entry in found
        )

    def is_inverted_16_bit(self) -> bool:
        """Whether the first image is unsigned 16-bit grey with 0 as white."""
        first = self._first
        form = self._value(first, _SAMPLE_FORMAT)
        grey = (self._value(first, _PHOTOMETRIC), self._value(first, _BITS_PER_SAMPLE))
        return grey == (_WHITE_IS_ZERO, 16) and form in (None, _UNSIGNED)

    def as_stored(self) -> bytes:
        """Returns a file from which a decoder gives the first image's samples as stored, neither turned nor inverted.

        Its orientation is upright, and 16-bit grey is black-is-zero: Pillow cannot read big-endian white-is-zero.
        """
        changes = {ORIENTATION_TAG: UPRIGHT}
        if self.is_inverted_16_bit():
            changes[_PHOTOMETRIC] = _BLACK_IS_ZERO
        first = self._first
        places = np.flatnonzero(np.isin(first.entries["tag"], list(changes)))
        if not len(places):
            return self._data
        patched = bytearray(self._data)
        size = self._layout.entry.itemsize
        kind = f"{self._layout.order}HH{'I' if self._layout.field == 4 else 'Q'}H"
        for index in places:
            tag = int(first.entries["tag"][index])
            place = first.place + int(index) * size
            patched[place : place + size] = struct.pack(kind, tag, SHORT, 1, changes[tag]).ljust(size, b"\0")
        return bytes(patched)

    @functools.cached_property
    def _first(self) -> _Directory:
        return self._directory(self._integer(self._layout.first, self._layout.offset))

    def _directories(self) -> Iterator[_Directory]:
        """The first directory, those that follow it, and their sub-directories, each once."""
        seen: set[int] = set()
        waiting = [self._integer(self._layout.first, self._layout.offset)]
        while waiting and len(seen) < MAX_DIRECTORIES:
            place = waiting.pop(0)
            if place in seen:
                raise ValueError("the tiff file's list of pages has a cycle")
            seen.add(place)
            directory = self._directory(place)
            yield directory
            waiting += [place for place in (*self._offsets(directory), directory.following) if place]

    def _directory(self, place: int) -> _Directory:
        count, entry = self._layout.entries, self._layout.entry
        entries = self._integer(place, count)
        start = place + np.dtype(count).itemsize
        end = start + entries * entry.itemsize
        if not 0 < place < end <= len(self._data):
            raise ValueError("the tiff file's list of pages is damaged or cut off")
        table = np.frombuffer(self._data, entry, entries, start)
        # Some writers end a file with its last directory and omit the offset 0 after it.
        following = self._integer(end, self._layout.offset) if end + self._layout.field <= len(self._data) else 0
        return _Directory(start, table, following)

    def _is_image(self, directory: _Directory) -> bool:
        kind = self._value(directory, _NEW_SUBFILE_TYPE)
        if kind is None:
            return self._value(directory, _SUBFILE_TYPE) != _REDUCED_OLD
        return not kind & (_REDUCED | _MASK)

    def _stacked(self, directory: _Directory) -> int:
        """Returns the number of images by ImageJ's description: it writes one directory for a stack of any height."""
        for entry in self._tagged(directory, _DESCRIPTION):
            at = int.from_bytes(entry["value"].tobytes(), "little" if self._layout.order == "<" else "big")
            text = self._data[at : at + min(int(entry["count"]), _LONGEST_DESCRIPTION)]
            if text.startswith(b"ImageJ=") and (found := re.search(rb"^images=(\d{1,9})\s*$", text, re.MULTILINE)):
                return int(found[1])
        return 1

    def _offsets(self, directory: _Directory) -> list[int]:
        """Returns the offsets of a directory's sub-directories."""
        for entry in self._tagged(directory, _SUB_DIRECTORIES):
            number = _INTEGERS.get(int(entry["kind"]))
            if number is None:
                continue
            many, size = int(entry["count"]), np.dtype(number).itemsize
            if many * size <= self._layout.field:
                raw = entry["value"].tobytes()[: many * size]
            else:
                at = int.from_bytes(entry["value"].tobytes(), "little" if self._layout.order == "<" else "big")
                raw = self._data[at : at + min(many, MAX_DIRECTORIES) * size]
            return np.frombuffer(raw[: len(raw) // size * size], self._layout.order + number).tolist()
        return []

    def _value(self, directory: _Directory, tag: int) -> int | None:
        """Returns the number that a tag holds; None if it is missing, or not a number."""
        return next((self._number(entry) for entry in self._tagged(directory, tag)), None)

    def _number(self, entry: np.void) -> int | None:
        number = _INTEGERS.get(int(entry["kind"]))
        if number is None or entry["count"] != 1:
            return None
        return int(np.frombuffer(entry["value"].tobytes(), self._layout.order + number, 1)[0])

    @staticmethod
    def _tagged(directory: _Directory, tag: int) -> npt.NDArray[np.void]:
        return directory.entries[directory.entries["tag"] == tag]

    def _integer(self, place: int, kind: str) -> int:
        number = np.dtype(self._layout.order + kind)
        if not 0 <= place <= len(self._data) - number.itemsize:
            raise ValueError("the tiff file's list of pages is damaged or cut off")
        return int(np.frombuffer(self._data, number, 1, place)[0])
