"""The entries of an annotation file by the image that they are for, where a manifest says which image is meant."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterator

from components.example_gen.annotations.document import Document
from components.example_gen.rejection import RejectionError


class EntriesByImage:
    """The entries of a document by the last part of their file names."""

    def __init__(self, document: Document) -> None:
        self.rejected: dict[str, RejectionError] = {entry.id: entry.rejected for entry in document.unusable}
        """Entry → why it cannot be used."""
        self._named: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for name, file in _names_in(document):
            plain = posixpath.normpath(file.replace("\\", "/"))
            self._named[posixpath.basename(plain)].append((plain, name))

    def of_image(self, image: str) -> list[str]:
        """Returns the entries whose file name has most in common with the end of the image's path.

        One of the two must end with the other, part by part: an absolute path may be that of another machine.
        """
        ranked: defaultdict[int, set[str]] = defaultdict(set)
        for file, name in self._named.get(posixpath.basename(image), ()):
            if f"/{image}".endswith(f"/{file}") or file.endswith(f"/{image}"):
                ranked[min(len(file), len(image))].add(name)
        return sorted(ranked[max(ranked)]) if ranked else []


def _names_in(document: Document) -> Iterator[tuple[str, str]]:
    """Yields name and file name of each entry; an address on the net names no file."""
    for image in document.images:
        yield from ((image.id, file) for file in (image.file, *image.other_files) if "://" not in file)
    yield from ((entry.id, entry.file) for entry in document.unusable if entry.file and "://" not in entry.file)
