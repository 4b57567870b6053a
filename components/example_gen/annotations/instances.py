"""Source of pairs with several mask files an image: one file an object."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from components.example_gen.annotations.config import InstancesSource
from components.example_gen.annotations.document import Bitmap, Shape, Size
from components.example_gen.annotations.drawn_pairs import DrawnPairs
from components.example_gen.annotations.files_by_name import NamedFileLists, list_by_name, refused_file
from components.example_gen.annotations.masks import annotated_mask
from components.example_gen.annotations.unannotated import no_mask, unannotated
from components.example_gen.files import FileInfo
from components.example_gen.fingerprint import fingerprint_of
from components.example_gen.headers import open_image
from components.example_gen.label_map import ThresholdMap
from components.example_gen.lazy_pair import read_limited
from components.example_gen.mask_samples import read_samples
from components.example_gen.mask_shape import check_shape
from components.example_gen.naming import masks_of
from components.example_gen.pairing import Listing, MaskPart, Pair
from components.example_gen.quarantine import Quarantined, Reason
from components.example_gen.rejection import RejectionError

_IMAGE = "image"
_OBJECT = ThresholdMap(1)


class InstancePairs(DrawnPairs):
    """Images, each with the masks of its objects."""

    def listing(self) -> Listing:
        """See `PairSource.listing`."""
        source = self._source
        found = list_by_name(self._folder, {_IMAGE: source.images, **_kinds(source)})
        images = {name: infos[0].path for name, infos in found.kinds[_IMAGE].items()}
        owned = {kind: masks_of(images, found.kinds[kind], alone=True) for kind in _kinds(source)}
        pairs: list[Pair] = []
        quarantined = [refused_file(info) for info in found.problems]
        for name in sorted(images):
            parts = [
                (source_class, info)
                for source_class, kind in zip(source.masks, owned, strict=True)
                for mask in owned[kind].get(name, ())
                for info in found.kinds[kind][mask]
            ]
            try:
                pairs.append(self._pair(name, found.kinds[_IMAGE][name], parts))
            except RejectionError as rejected:
                quarantined.append(rejected.entry(name, images[name], None))
        quarantined += _without_image(found, owned)
        return Listing(tuple(pairs), tuple(quarantined), found.ignored_files, fingerprint_of(found.files))

    @property
    def _source(self) -> InstancesSource:
        assert isinstance(self._settings, InstancesSource)
        return self._settings

    def _pair(self, name: str, images: list[FileInfo], parts: list[tuple[str, FileInfo]]) -> Pair:
        """Returns the pair of an image; raises `RejectionError` if it cannot be used."""
        if len(images) > 1:
            detail = f"is the name of {len(images)} images: {', '.join(info.path for info in images)}"
            raise RejectionError(Reason.AMBIGUOUS_NAME, detail, "several images have one name")
        for info in (*images, *(info for _, info in parts)):
            if info.problem:
                raise RejectionError(*info.problem)
        if not parts and self._source.unannotated == "quarantine":
            raise unannotated()
        [image] = images
        mask = parts[0][1].path if parts else no_mask(image.path)
        size = sum(info.size for _, info in parts)
        listed = tuple(MaskPart(of_class, info.path, info.size) for of_class, info in parts)
        return Pair(name, image.path, mask, image_bytes=image.size, mask_bytes=size, parts=listed)

    def _mask(self, pair: Pair, image: Callable[[], bytes], max_bytes: int) -> bytes:
        def shapes(size: Size) -> list[Shape]:
            return [Shape(part.path, part.label, partial(self._object, part, size, max_bytes)) for part in pair.parts]

        return annotated_mask(image(), None, shapes, self._drawing, self._max_pixels)

    def _object(self, part: MaskPart, size: Size, max_bytes: int) -> Bitmap:
        """Returns the pixels of one mask file; raises `RejectionError` if it is not one of the image's size."""
        try:
            data = read_limited(self._folder, part.path, part.size, max_bytes)
            header = open_image(data, self._max_pixels)
            if (header.width, header.height) != size:
                raise RejectionError(
                    Reason.SIZE_MISMATCH,
                    f"has {header.width}×{header.height} pixels, but the image has {size[0]}×{size[1]}",
                    "the mask of an object has another size than its image",
                )
            read = read_samples(data, header, _OBJECT.samples)
            is_set_HW = _OBJECT.read(read.samples).mask_HW
            check_shape(is_set_HW, read, _OBJECT, "X" in header.raw_mode)
        except RejectionError as rejected:
            raise rejected.within(f"{part.path}:") from rejected
        return Bitmap(0, 0, is_set_HW.astype(bool))


def _kinds(source: InstancesSource) -> dict[str, tuple[str, ...]]:
    return {f"mask of {name}": globs for name, globs in source.masks.items()}


def _without_image(found: NamedFileLists, owned: dict[str, dict[str, list[str]]]) -> Iterator[Quarantined]:
    for kind, of_images in owned.items():
        taken = {mask for masks in of_images.values() for mask in masks}
        for name, infos in sorted(found.kinds[kind].items()):
            if name not in taken:
                yield Quarantined(
                    id=name,
                    mask=infos[0].path,
                    reason=Reason.MISSING_IMAGE,
                    detail=f"no image belongs to {name!r} by its name or folder",
                    cause="no image belongs to the mask by its name or folder",
                )
