"""Opens the images of a shard: files, or records of a record file."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import tensorflow as tf

from common.errors import UserError
from common.records import IMAGE_ENCODED, IMAGE_ID
from components.batch_predictor.config import AnySource, RecordsSource
from components.batch_predictor.encoding import EncodedImage, RejectedImageError, encode_file, encode_record
from components.batch_predictor.entries import Entry, Item, Status
from components.batch_predictor.origin import ModelFacts
from components.example_gen.files import Folder, escape_of, open_folder
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError


class OpenedImage(NamedTuple):
    """An image that is read when `encode` is called, which returns an entry if the image is not predicted."""

    item: Item
    encode: Callable[[], EncodedImage | Entry]


class ImageOpener:
    """Opens images of one source for one model."""

    def __init__(self, source: AnySource, model: ModelFacts, max_bytes: int) -> None:
        self._source = source
        self._model = model
        self._max_bytes = max_bytes
        self._folder: Folder = open_folder(source.root, source.follow_links)

    def open(self, items: Iterable[Item]) -> Iterator[OpenedImage]:
        """Yields the images in order; of record files, those in them."""
        if isinstance(self._source, RecordsSource):
            for item in items:
                yield from self._in_record_file(item)
            return
        for item in items:
            yield OpenedImage(item, lambda item=item: self._encode(item))  # type: ignore[misc]

    def _encode(self, item: Item) -> EncodedImage | Entry:
        if item.problem:
            return Entry(path=item.path, status="unreadable", reason=item.problem, state=item.state)
        try:
            return encode_file(self._folder.read(item.path, self._max_bytes), self._model)
        except RejectedImageError as rejected:
            return rejection(item, str(rejected))
        except RejectionError as rejected:  # While it was read.
            status: Status = "unreadable" if rejected.reason is Reason.UNREADABLE else "rejected"
            return Entry(path=item.path, status=status, reason=rejected.detail, state=item.state)

    def _in_record_file(self, file: Item) -> Iterator[OpenedImage]:
        if file.problem:
            raise UserError(f"a record file cannot be read: {file.problem}")
        address = f"{self._folder.root}/{file.path}"
        compression = "GZIP" if file.path.endswith(".gz") else ""
        try:
            for number, record in enumerate(tf.data.TFRecordDataset(address, compression).as_numpy_iterator()):
                yield _opened_record(record, file.path, number)
        except tf.errors.OpError as error:
            raise UserError(f"the record file {address} cannot be read: {error.message.splitlines()[0]}") from None


def rejection(item: Item, reason: str) -> Entry:
    """Returns the entry of an image that is not predicted because of its content."""
    return Entry(path=item.path, status="rejected", reason=reason, state=item.state)


def _opened_record(record: bytes, file: str, number: int) -> OpenedImage:
    features = tf.train.Example.FromString(record).features.feature
    image, name = _only_value(features, IMAGE_ENCODED), _only_value(features, IMAGE_ID)
    if image is None or name is None:
        raise UserError(
            f"record {number} of {file} has no {IMAGE_ENCODED} or {IMAGE_ID}: it is not one that ingestion wrote; name "
            "the folder Split-… of its examples"
        )
    path = name.decode("utf-8", "backslashreplace")
    item = Item(path, f"{len(image)}:{zlib.crc32(image)}")
    if problem := escape_of(path):
        return OpenedImage(item, lambda: rejection(item, f"{problem}, so it cannot name a mask"))
    return OpenedImage(item, lambda: encode_record(image))


def _only_value(features: Mapping[str, tf.train.Feature], key: str) -> bytes | None:
    values: list[bytes] = list(features[key].bytes_list.value) if key in features else []
    return values[0] if len(values) == 1 else None
