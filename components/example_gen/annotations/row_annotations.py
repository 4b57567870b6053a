"""The annotation files that the rows of a manifest name instead of masks."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from common.errors import UserError
from components.example_gen.annotations.config import RowAnnotations, YoloSource
from components.example_gen.config import ManifestSource
from components.example_gen.files import FileInfo, Folder
from components.example_gen.rejection import RejectionError

if TYPE_CHECKING:
    from components.example_gen.annotations.drawn_pairs import DrawnPairs

_SECTION = "data.source.annotations"
_ENTRY = "#"
"""In front of the entry's name, where the path of a mask is that of a file for many images."""


class AnnotationsOfRows:
    """Finds the annotations that a row names; they are drawn when the pair is read."""

    def __init__(self, folder: Folder, settings: RowAnnotations, drawn: DrawnPairs) -> None:
        self._settings = settings
        self._drawn = drawn
        self.files = _further_files(folder, drawn)
        """Files that are not named by rows, but that masks depend on."""

    def place(self, mask: FileInfo, image: str) -> tuple[str, int]:
        """Returns the path of an image's mask, with its entry where a file annotates many images, and its bytes.

        Raises `RejectionError` if the file has no entry for the image, or several.
        """
        from components.example_gen.annotations.documents import DocumentPairs

        if isinstance(self._drawn, DocumentPairs) and names_annotations(mask.path, self._settings):
            with settings_of_rows():
                return self._drawn.find(mask, image)
        return mask.path, mask.size


def open_row_annotations(folder: Folder, source: ManifestSource) -> AnnotationsOfRows | None:
    """Returns what finds the annotations of the rows of `source`, whose root is `folder`; `None` if rows name masks.

    Raises `UserError` if a file with the names of classes is missing.
    """
    if source.annotations is None:
        return None
    from components.example_gen.annotations.open_annotated import open_drawn  # Imports TensorFlow.

    drawn = open_drawn(source.annotations.source(folder.root, source.follow_links), (), 0)
    return AnnotationsOfRows(folder, source.annotations, drawn)


def names_annotations(mask: str, settings: RowAnnotations) -> bool:
    """Returns whether the path of a mask is that of an annotation file, or of an entry in one."""
    paths = mask, mask.rpartition(_ENTRY)[0]
    return any(posixpath.splitext(path)[1].lower() == settings.suffix for path in paths)


@contextmanager
def settings_of_rows() -> Iterator[None]:
    """Tells the settings in a `RejectionError` by their keys in a manifest's source."""
    try:
        yield
    except RejectionError as rejected:
        detail, remedy = (text and text.replace("data.source", _SECTION) for text in (rejected.detail, rejected.remedy))
        assert detail is not None
        raise RejectionError(rejected.reason, detail, rejected.cause, remedy, rejected.values) from rejected


def _further_files(folder: Folder, drawn: DrawnPairs) -> Sequence[FileInfo]:
    settings = drawn.settings
    if not isinstance(settings, YoloSource):
        return []
    found = folder.look_up([settings.file])
    if settings.file not in found:
        raise UserError(
            f"no file {settings.file} with the names of the classes below {folder.root}; set "
            "data.source.annotations.names_file"
        )
    return list(found.values())
