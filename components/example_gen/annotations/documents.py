"""Source of pairs from annotation files that annotate many images each, such as COCO's."""

from __future__ import annotations

import fnmatch
import hashlib
import posixpath
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import NamedTuple

from common.errors import UserError
from components.example_gen.annotations.cached import cached_document, known_document, remember_document
from components.example_gen.annotations.coco import read_coco
from components.example_gen.annotations.config import CocoSource, CvatSource, DocumentSource, LabelStudioSource
from components.example_gen.annotations.cvat import read_cvat
from components.example_gen.annotations.document import AnnotatedImage, Document
from components.example_gen.annotations.drawn_pairs import DrawnPairs
from components.example_gen.annotations.entries import EntriesByImage
from components.example_gen.annotations.label_studio import read_label_studio
from components.example_gen.annotations.masks import annotated_mask
from components.example_gen.annotations.panoptic import read_panoptic
from components.example_gen.annotations.unannotated import unannotated
from components.example_gen.files import FileInfo, Folder, escape_of, first_parts, names
from components.example_gen.fingerprint import fingerprint_of
from components.example_gen.globs import Glob
from components.example_gen.named_files import NamedFiles
from components.example_gen.pairing import Listing, Pair
from components.example_gen.quarantine import Quarantined, Reason
from components.example_gen.rejection import RejectionError

MAX_BYTES = 1_000_000_000
_SEPARATOR = "#"
"""Between the annotation file and the image's name in it, in the path of a mask."""

Reader = Callable[[bytes, str], Document]


class _Entry(NamedTuple):
    """An image of an annotation file."""

    file: FileInfo
    share: int
    """Bytes of the file for each of its images."""
    image: AnnotatedImage

    @property
    def mask(self) -> str:
        """The place of its annotations, for messages."""
        return f"{self.file.path}{_SEPARATOR}{self.image.id}"


class DocumentPairs(DrawnPairs):
    """Pairs of images and their annotations in files that annotate many images each."""

    @property
    def _source(self) -> DocumentSource:
        assert isinstance(self._settings, DocumentSource)
        return self._settings

    def listing(self) -> Listing:
        """See `PairSource.listing`."""
        entries: list[_Entry] = []
        quarantined: list[Quarantined] = []
        notes: list[str] = []
        digests = []
        more: list[FileInfo] = []
        files = self._annotation_files()
        for info in files:
            digest, document = self._parse(info)
            digests.append(digest)
            share = info.size // max(1, len(document.images))
            entries += [_Entry(info, share, image) for image in document.images]
            quarantined += [_unusable(info.path, entry.id, entry.file, entry.rejected) for entry in document.unusable]
            notes += document.notes
            more += self._folder.look_up(document.files).values()
        if not entries and not quarantined:
            raise UserError(f"{names(info.path for info in files)} lists no image; check data.source.files")
        found, images = _Images(self._folder, self._source, entries), list[FileInfo]()
        pairs: list[Pair] = []
        for entry in entries:
            try:
                pair = self._pair(entry, found)
                images.append(found.look_up(entry))
                pairs.append(pair)
            except RejectionError as rejected:
                quarantined.append(_unusable(entry.file.path, entry.image.id, entry.image.file, rejected))
        fingerprint = fingerprint_of([*files, *more, *images], b"".join(digests))
        return Listing(tuple(pairs), tuple(quarantined), fingerprint=fingerprint, notes=(*notes, *found.notes))

    def find(self, info: FileInfo, image: str) -> tuple[str, int]:
        """Returns the mask's path of the image at `image` whose annotations are in the file `info`, and its bytes.

        Raises `RejectionError` if the file has no entry for it, or several.
        """
        entries = self._entries(info.path)
        found = entries.of_image(image)
        if len(found) != 1:
            raise _not_one_entry(info.path, image, found)
        [name] = found
        if name in entries.rejected:
            raise entries.rejected[name].within(f"{name} of {info.path}")
        document = self._document(info.path)
        if not document.by_id[name].count and self._source.unannotated == "quarantine":
            raise unannotated()
        return f"{info.path}{_SEPARATOR}{name}", info.size // max(1, len(document.images))

    def _entries(self, path: str) -> EntriesByImage:
        if path not in self._indices:
            self._indices[path] = EntriesByImage(self._document(path))
        return self._indices[path]

    @cached_property
    def _indices(self) -> dict[str, EntriesByImage]:
        return {}

    def _annotation_files(self) -> list[FileInfo]:
        globs = [Glob(pattern) for pattern in self._source.files]
        walked = {info.path: info for glob in globs for info in self._folder.walk(glob.prefix)}
        files = [info for path, info in sorted(walked.items()) if any(glob.name(path) is not None for glob in globs)]
        if not files:
            raise UserError(
                f"no annotation file matches {names(self._source.files)} below {self._folder.root}, which holds "
                f"{names(first_parts(walked))}; set data.source.files"
            )
        for info in files:
            if info.problem:
                remedy = f"; {info.problem.remedy}" if info.problem.remedy else ""
                raise UserError(f"the annotation file {info.path} cannot be used: {info.problem.detail}{remedy}")
        return files

    def _parse(self, info: FileInfo) -> tuple[bytes, Document]:
        """Returns the SHA-256 of a file and its content, which this process parses once and finds again by `_key`."""
        if info.size > MAX_BYTES:
            raise UserError(
                f"the annotation file {info.path} has {info.size} bytes, over the limit of {MAX_BYTES}; split it"
            )
        try:
            data = self._folder.read(info.path, MAX_BYTES)
        except RejectionError as error:
            raise UserError(f"the annotation file {info.path} cannot be used: {error.detail}") from error
        digest = hashlib.sha256(data)
        key = f"{self._source.model_dump_json()} {info.path} {digest.hexdigest()}"
        document = cached_document(key, partial(self._reader(), data, info.path))
        remember_document(self._key(info), document)
        return digest.digest(), document

    def _key(self, info: FileInfo) -> str:
        """What a worker finds a parsed file by without reading it: the fingerprint trusts size and time too."""
        return f"{self._source.model_dump_json()} {info.path} {info.size} {info.changed!r} {info.target}"

    def _reader(self) -> Reader:
        source = self._source
        if isinstance(source, CvatSource):
            return read_cvat
        if isinstance(source, LabelStudioSource):
            return partial(read_label_studio, image_key=source.image_key)
        if isinstance(source, CocoSource) and source.panoptic is not None:
            return partial(read_panoptic, folder=self._folder, below=source.panoptic, max_pixels=self._max_pixels)
        return read_coco

    def _pair(self, entry: _Entry, found: _Images) -> Pair:
        """Returns the pair of an entry; raises `RejectionError` if it cannot be used."""
        image = found.look_up(entry)
        if not entry.image.count and self._source.unannotated == "quarantine":
            raise unannotated()
        return Pair(
            posixpath.splitext(image.path)[0],
            image.path,
            entry.mask,
            split=self._split(entry.file.path),
            image_bytes=image.size,
            mask_bytes=entry.share,
        )

    def _split(self, path: str) -> str | None:
        return next((split for glob, split in self._source.splits.items() if fnmatch.fnmatchcase(path, glob)), None)

    def _mask(self, pair: Pair, image: Callable[[], bytes], max_bytes: int) -> bytes:
        del max_bytes  # The annotations are one file, with a limit of its own.
        path, _, name = pair.mask.rpartition(_SEPARATOR)
        annotated = self._document(path).by_id.get(name)
        if annotated is None:
            raise RejectionError(Reason.MISSING_MASK, f"{path} has changed since it was listed: {name} is gone")
        return annotated_mask(image(), annotated.size, annotated.shapes, self._drawing, self._max_pixels)

    def _document(self, path: str) -> Document:
        if path not in self._opened:
            info = self._folder.look_up([path])[path]
            self._opened[path] = known_document(self._key(info)) or self._parse(info)[1]
        return self._opened[path]

    @cached_property
    def _opened(self) -> dict[str, Document]:
        return {}


class _Images:
    """Finds the images that the entries of annotation files name."""

    def __init__(self, folder: Folder, source: DocumentSource, entries: Iterable[_Entry]) -> None:
        self._source = source
        listed = list(entries)
        self._files = NamedFiles(folder, [path for entry in listed for path in self._written(entry)])
        paths = [self._path(entry) for entry in listed]
        self._owners = Counter(paths)
        self._stems = Counter(posixpath.splitext(path)[0] for path in set(paths))

    @property
    def notes(self) -> list[str]:
        """See `NamedFiles.notes`."""
        return self._files.notes

    def look_up(self, entry: _Entry) -> FileInfo:
        """Returns the image of an entry; raises `RejectionError` if it cannot be used."""
        path = self._path(entry)
        info = self._files.look_up("image", path)
        if self._owners[path] > 1:
            cause, remedy = "an image that several entries name", "keep one of them"
            detail = f"names the image {path}, as {self._owners[path] - 1} other entries do; {remedy}"
            raise RejectionError(Reason.AMBIGUOUS_NAME, detail, cause, remedy)
        if self._stems[posixpath.splitext(path)[0]] > 1:
            cause, remedy = "an image with the name of another one, except for its suffix", "rename one of them"
            raise RejectionError(Reason.AMBIGUOUS_NAME, f"names the image {path}: {cause}; {remedy}", cause, remedy)
        return info

    def _path(self, entry: _Entry) -> str:
        """Returns the first place in which the image of an entry exists, or might."""
        paths = [self._files.path(written) for written in self._written(entry)]
        return next((path for path in paths if path in self._files.found), paths[0])

    def _written(self, entry: _Entry) -> list[str]:
        folders = self._source.images or (posixpath.dirname(entry.file.path), "", "images")
        written = []
        for file in (entry.image.file, *entry.image.other_files):
            plain = file.replace("\\", "/")  # As programs on Windows write it.
            written += [file] if escape_of(file) else [posixpath.join(folder, plain) for folder in folders]
        return list(dict.fromkeys(written))


def _not_one_entry(path: str, image: str, found: list[str]) -> RejectionError:
    if not found:
        cause = "the annotation file has no entry for the image"
        return RejectionError(Reason.MISSING_MASK, f"names {path}, which has no entry for the image {image}", cause)
    cause, remedy = "an image that several entries name", "keep one of them"
    detail = f"names {path}, in which {len(found)} entries name the image: {names(found)}; {remedy}"
    return RejectionError(Reason.AMBIGUOUS_NAME, detail, cause, remedy)


def _unusable(path: str, name: str, file: str | None, rejected: RejectionError) -> Quarantined:
    annotations = f"{path}{_SEPARATOR}{name}"
    pair_id = posixpath.splitext(file)[0] if file else annotations
    return rejected.within(f"{name} of {path}").entry(pair_id, file, annotations)
