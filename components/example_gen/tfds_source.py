"""Source of pairs from TensorFlow Datasets, by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from common.errors import UserError
from common.records import SPLITS
from components.example_gen.config import TfdsSource
from components.example_gen.files import names
from components.example_gen.fingerprint import fingerprint_of_text
from components.example_gen.images import png
from components.example_gen.lazy_pair import LazyPair
from components.example_gen.pairing import Listing, Pair
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError


class TfdsPairs:
    """Pairs of a data set of the package `tensorflow-datasets`; a pair's name is `<their split>/<position>`.

    Encoded images are taken as they are stored; arrays become PNGs.
    """

    def __init__(self, source: TfdsSource) -> None:
        self._source = source

    def __getstate__(self) -> dict[str, Any]:
        return {"_source": self._source}  # The builder is created on each worker.

    @cached_property
    def _builder(self) -> Any:
        tfds = _package()
        try:
            builder = tfds.builder(self._source.name, data_dir=self._source.data_dir)
            if self._source.download:
                builder.download_and_prepare()
        except Exception as error:  # The package has no base class for its exceptions.
            raise UserError(
                f"the data set {self._source.name} cannot be opened: {str(error).splitlines()[0]}"
            ) from error
        return builder

    def listing(self) -> Listing:
        """See `PairSource.listing`; positions are counted, nothing is read."""
        info = self._builder.info
        if not info.splits:
            raise UserError(f"the data set {self._source.name} is not prepared; set download: true")
        for key in (self._source.image_key, self._source.mask_key):
            if key not in info.features:
                raise UserError(f"{self._source.name} has no feature {key!r}; it has {names(info.features)}")
        for split in self._source.splits:
            if split not in info.splits:
                raise UserError(f"{self._source.name} has no split {split!r}; it has {names(info.splits)}")
        pairs = [
            pair
            for theirs, ours in self._source.splits.items()
            for pair in self._pairs(theirs, ours, info.splits[theirs].num_examples)
        ]
        return Listing(tuple(pairs), fingerprint=fingerprint_of_text("tfds", info.name, str(info.version)))

    def open(self, pairs: Sequence[Pair], max_bytes: int) -> Iterator[LazyPair]:
        """See `PairSource.open`; reads each split once, from the first requested position to the last."""
        wanted: defaultdict[str, dict[int, Pair]] = defaultdict(dict)
        for pair in pairs:
            theirs, _, number = pair.image.rpartition("/")
            wanted[theirs][int(number)] = pair
        for theirs, by_place in wanted.items():
            for place, example in self._read(theirs, min(by_place), max(by_place) + 1):
                if place in by_place:
                    yield self._opened(by_place[place], example, max_bytes)

    def count_bytes(self, pairs: Sequence[Pair]) -> int:
        """See `PairSource.count_bytes`."""
        info = self._builder.info
        total = sum(info.splits[theirs].num_examples for theirs in self._source.splits)
        stored = sum(info.splits[theirs].num_bytes for theirs in self._source.splits)
        return stored * len(pairs) // max(total, 1)

    def _pairs(self, theirs: str, ours: str, count: int) -> Iterator[Pair]:
        missing = tuple(split for split in SPLITS if split not in self._source.splits.values())
        shared = ours == "train" and bool(missing)
        for place in range(count):
            name = f"{theirs}/{place:08d}"
            among = ("train", *missing) if shared else SPLITS
            yield Pair(name, name, name, split=None if shared else ours, among=among)

    def _read(self, theirs: str, start: int, stop: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
        tfds = _package()
        keys = (self._source.image_key, self._source.mask_key)
        features = self._builder.info.features
        encoded = {key: tfds.decode.SkipDecoding() for key in keys if isinstance(features[key], tfds.features.Image)}
        dataset = self._builder.as_dataset(
            split=tfds.core.ReadInstruction(theirs, from_=start, to=stop, unit="abs"),
            shuffle_files=False,
            decoders=encoded,
        )
        dataset = dataset.map(lambda example: {key: example[key] for key in keys})
        return enumerate(dataset.as_numpy_iterator(), start)

    def _opened(self, pair: Pair, example: Mapping[str, Any], max_bytes: int) -> LazyPair:
        image, mask = example[self._source.image_key], example[self._source.mask_key]
        return LazyPair(pair, lambda: _bytes(image, max_bytes), lambda: _bytes(mask, max_bytes))


def _package() -> Any:
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise UserError(
            "the source tfds needs the package tensorflow-datasets; install it with `pip install segpipe[tfds]`"
        ) from error
    return tensorflow_datasets


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _bytes(value: bytes | np.ndarray, max_bytes: int) -> bytes:
    """Returns an image file: as stored, or the PNG of an array [H, W] or [H, W, channels]."""
    data = value if isinstance(value, bytes) else png(Image.fromarray(_drawable(value)))
    if len(data) > max_bytes:
        raise RejectionError(Reason.TOO_LARGE, f"the image has {len(data)} bytes, over the limit of {max_bytes}")
    return data


def _drawable(array: np.ndarray) -> np.ndarray:
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.dtype == bool:
        return array.astype(np.uint8)
    if array.dtype.kind in "iu" and array.ndim == 2 and array.size and array.min() >= 0 and array.max() <= 65535:
        return array.astype(np.uint8 if array.max() <= 255 else np.uint16)
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[-1] in (3, 4):
        return array
    raise RejectionError(Reason.UNSUPPORTED_FORMAT, f"an array {array.shape} of {array.dtype} is not an image")
