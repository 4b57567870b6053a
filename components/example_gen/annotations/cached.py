"""Small caches: of the parsed annotation files in a process, and of one image's bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from components.example_gen.annotations.document import Document

_T = TypeVar("_T")
_KEPT = 4  # Annotation files; a large one takes gigabytes.

_lock = threading.Lock()
_documents: OrderedDict[str, Document] = OrderedDict()
"""By their contents' hash, so that no file is parsed twice."""
_known: OrderedDict[str, Document] = OrderedDict()
"""By their files' size and time."""


def cached_document(key: str, parse: Callable[[], Document]) -> Document:
    """Returns the document of `key`, parsed once in this process; the oldest ones are dropped."""
    with _lock:  # Several workers of one process would parse the same file.
        if key not in _documents:
            _documents[key] = parse()
            while len(_documents) > _KEPT:
                _documents.popitem(last=False)
        _documents.move_to_end(key)
        return _documents[key]


def remember_document(key: str, document: Document) -> None:
    """Makes a document known by another key, which needs no reading of the file."""
    with _lock:
        _known[key] = document
        _known.move_to_end(key)
        while len(_known) > _KEPT:
            _known.popitem(last=False)


def known_document(key: str) -> Document | None:
    """Returns the document of a key that `remember_document` was given, if it is still there."""
    with _lock:
        return _known.get(key)


def once(read: Callable[[], _T]) -> Callable[[], _T]:
    """Returns a function that calls `read` the first time and then gives the same value."""
    values: list[_T] = []

    def value() -> _T:
        if not values:
            values.append(read())
        return values[0]

    return value
