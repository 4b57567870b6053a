"""Source of pairs from YOLO's polygons: a text file for each image, and data.yaml with classes and folders."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial

import numpy as np

from common.errors import UserError
from components.example_gen.annotations.config import YoloSource
from components.example_gen.annotations.data_yaml import class_names, image_folders, read_data_yaml
from components.example_gen.annotations.document import Polygons, Shape, Size, bad_annotation
from components.example_gen.annotations.drawn_pairs import DrawnPairs
from components.example_gen.annotations.given_splits import in_split
from components.example_gen.annotations.masks import annotated_mask
from components.example_gen.annotations.unannotated import is_no_mask, no_mask, unannotated
from components.example_gen.files import FileInfo, names
from components.example_gen.fingerprint import fingerprint_of
from components.example_gen.lazy_pair import read_limited
from components.example_gen.pairing import Listing, Pair, is_stray
from components.example_gen.quarantine import Quarantined, Reason
from components.example_gen.rejection import RejectionError

_LARGEST_SHARE = 1.5  # A coordinate above this is in pixels by mistake.


class YoloPairs(DrawnPairs):
    """Images in the folders of data.yaml, each with its label file."""

    def listing(self) -> Listing:
        """See `PairSource.listing`."""
        content, data = read_data_yaml(self._folder, self._source.file)
        class_names(content, self._source.file)
        keys = tuple(self._source.splits)
        folders = image_folders(content, self._source.file, keys, self._source.folders, self._folder)
        given = {self._source.splits[key] for key in folders}
        pairs: list[Pair] = []
        quarantined: list[Quarantined] = []
        files: list[FileInfo] = []
        for key, key_folders in folders.items():
            for image, label in self._images(key_folders):
                files += [image] if label is None else [image, label]
                try:
                    pairs.append(in_split(self._pair(image, label), self._source.splits[key], given))
                except RejectionError as rejected:
                    mask = None if label is None else label.path
                    quarantined.append(rejected.entry(posixpath.splitext(image.path)[0], image.path, mask))
        if not pairs and not quarantined:
            where = names(folder for of_key in folders.values() for folder in of_key)
            raise UserError(f"{self._source.file}: no image lies in {where}; set data.source.folders")
        return Listing(tuple(pairs), tuple(quarantined), fingerprint=fingerprint_of(files, data))

    @property
    def _source(self) -> YoloSource:
        assert isinstance(self._settings, YoloSource)
        return self._settings

    @cached_property
    def _names(self) -> Mapping[int, str]:
        return class_names(read_data_yaml(self._folder, self._source.file)[0], self._source.file)

    def _images(self, folders: list[str]) -> Iterator[tuple[FileInfo, FileInfo | None]]:
        """Yields the images of the folders, and their label files."""
        for folder in folders:
            images = [info for info in self._folder.walk(folder) if not is_stray(info.path)]
            labels = self._folder.look_up([_label_path(image.path) for image in images])
            yield from ((image, labels.get(_label_path(image.path))) for image in images)

    def _pair(self, image: FileInfo, label: FileInfo | None) -> Pair:
        """Returns the pair of an image; raises `RejectionError` if it cannot be used."""
        for info in (image, label):
            if info is not None and info.problem:
                raise RejectionError(*info.problem)
        if label is None and self._source.unannotated == "quarantine":
            raise unannotated()
        name = posixpath.splitext(image.path)[0]
        if label is None:
            return Pair(name, image.path, no_mask(image.path), image_bytes=image.size)
        return Pair(name, image.path, label.path, image_bytes=image.size, mask_bytes=label.size)

    def _mask(self, pair: Pair, image: Callable[[], bytes], max_bytes: int) -> bytes:
        lines: list[tuple[int, str]] = []
        if not is_no_mask(pair.mask):
            data = read_limited(self._folder, pair.mask, pair.mask_bytes, max_bytes)
            try:
                lines = [(n, line) for n, line in enumerate(data.decode("utf-8-sig").splitlines(), 1) if line.strip()]
            except UnicodeDecodeError as error:
                raise RejectionError(Reason.UNREADABLE, f"{pair.mask} is not text") from error
            if not lines and self._source.unannotated == "quarantine":
                raise unannotated()

        def shapes(size: Size) -> list[Shape]:
            return [_shape(f"line {number}", line, self._names, size) for number, line in lines]

        return annotated_mask(image(), None, shapes, self._drawing, self._max_pixels)


def _shape(name: str, line: str, classes: Mapping[int, str], size: Size) -> Shape:
    """Returns the annotation in a line `class x y x y …`; raises `RejectionError` if it is not one."""
    first, *rest = line.split()
    if not first.isascii() or not first.isdigit() or int(first[:10]) not in classes:
        raise bad_annotation(name, f"has the class {first[:20]!r}, which data.yaml does not name")
    return Shape(name, classes[int(first[:10])], partial(_polygon, name, rest, size))


def _polygon(name: str, numbers: list[str], size: Size) -> Polygons:
    if len(numbers) == 4:
        remedy = "map its class to skip (data.source.class_map) if boxes are not wanted"
        raise bad_annotation(name, "is a box, not a polygon", remedy)
    if len(numbers) % 2:
        raise bad_annotation(name, f"has {len(numbers)} numbers, which are not pairs of x and y")
    try:
        shares_N2 = np.array([float(number) for number in numbers], np.float64).reshape(-1, 2)
    except ValueError as error:
        raise bad_annotation(name, "has a coordinate that is not a number") from error
    if np.isfinite(shares_N2).all() and shares_N2.size and np.abs(shares_N2).max() > _LARGEST_SHARE:
        farthest = np.abs(shares_N2).max()
        raise bad_annotation(name, f"has the coordinate {farthest:g}, but coordinates are shares of width and height")
    return Polygons((shares_N2 * np.array(size, np.float64),))


def _label_path(image: str) -> str:
    """Returns the label file of an image: the last folder `images` becomes `labels`, if there is one."""
    above, found, below = f"/{posixpath.splitext(image)[0]}".rpartition("/images/")
    return f"{above}/labels/{below}.txt"[1:] if found else f"{below[1:]}.txt"
