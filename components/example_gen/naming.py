"""Suggests a setting when the names of masks and images do not pair as configured."""

from __future__ import annotations

import json
import posixpath
import re
import string
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from components.example_gen.config import FoldersSource
from components.example_gen.files import names

_SHOWN = 4
_MASK_WORDS = re.compile("mask|label|gt|seg", re.IGNORECASE)


class Advice(NamedTuple):
    """How the names differ, and the remedy."""

    sentence: str
    remedy: str


class _Affixes(NamedTuple):
    """Common prefix and suffix of all names of one kind: `train/img_001_sat` around `001`."""

    folder: str
    prefix: str
    suffix: str

    def strip(self, name: str) -> str:
        """Returns the part that differs, with the folders below the common one."""
        folder, base = posixpath.split(name)
        base = base[len(self.prefix) : len(base) - len(self.suffix)]
        return posixpath.join(folder.removeprefix(self.folder).strip("/"), base)


def advise(images: Mapping[str, str], masks: Mapping[str, str], source: FoldersSource) -> Advice | None:
    """Suggests a setting of `source` that pairs most of the `masks`, or explains what prevents it.

    Args:
      images: Name → path of the images without a mask.
      masks: Name → path of the masks without an image, whose names have lost `mask_suffix`.
      source: Where they come from.
    """
    if not images or not masks:
        return None
    if shared := several_masks(images, masks, alone=True):
        return explain_several(shared, images, masks)
    suffix, count = most_frequent_suffix(images, masks)
    if suffix and 2 * count >= len(masks):
        whole = suffix + source.mask_suffix
        return Advice(f"the masks are named as the images with {whole!r} behind", suffix_line(whole))
    return (
        _advise_folders(images, masks, source)
        or _advise_globs(images, masks, source)
        or _advise_manifest(images, masks)
    )


def most_frequent_suffix(images: Collection[str], masks: Iterable[str]) -> tuple[str, int]:
    """Returns the most common suffix after an image's name and its count; an empty text if there is none."""
    counts: Counter[str] = Counter()
    for mask in masks:
        if image := _beginning(mask, images):
            counts[mask[len(image) :]] += 1
    return max(counts.items(), key=lambda item: (item[1], _MASK_WORDS.search(item[0]) is not None), default=("", 0))


def suffix_line(suffix: str) -> str:
    """Returns the configuration line for `suffix`."""
    plain = re.fullmatch(r"[A-Za-z_][\w-]*", suffix)
    return f"write mask_suffix: {suffix if plain else json.dumps(suffix, ensure_ascii=False)} under data.source"


def several_masks(images: Mapping[str, str], masks: Mapping[str, str], alone: bool = False) -> dict[str, list[str]]:
    """Returns image → masks, for images to which several masks belong by name or by folder.

    Args:
      images: Name → path.
      masks: Name → path.
      alone: Whether all masks in a folder with a single image belong to it.
    """
    owned = masks_of(images, masks, alone)
    return {image: found for image, found in owned.items() if len(found) > 1}


def masks_of(images: Mapping[str, str], masks: Iterable[str], alone: bool = False) -> dict[str, list[str]]:
    """Returns image → the masks that belong to it by name or by folder; see `several_masks`."""
    owned: defaultdict[str, list[str]] = defaultdict(list)
    in_folder = Counter(posixpath.dirname(image) for image in images) if alone else Counter()
    only = {folder: name for name in images if in_folder[folder := posixpath.dirname(name)] == 1 and folder}
    for mask in sorted(masks):
        owner = mask if mask in images else owner_of(mask, images) or only.get(posixpath.dirname(mask))
        if owner is not None:
            owned[owner].append(mask)
    return dict(owned)


def owner_of(mask: str, images: Collection[str]) -> str | None:
    """Returns the image to which a mask with a different name belongs.

    Its name is a prefix of the mask's (`img1`, `img1_mask_0`), is that of a folder that the mask lies in
    (`img1/0`), or is the mask's without its folders (`cat/img1`).
    """
    parts = mask.split("/")
    above = ("/".join(parts[:end]) for end in range(len(parts) - 1, 0, -1))
    below = ("/".join(parts[start:]) for start in range(1, len(parts)))
    found = (name for name in (*above, *below) if name in images)
    return _beginning(mask, images) or next(found, None)


def explain_several(shared: Mapping[str, Sequence[str]], images: Mapping[str, str], masks: Mapping[str, str]) -> Advice:
    """Describes that several masks belong to an image, by the first example."""
    first, found = next(iter(shared.items()))
    suffix, count = most_frequent_suffix(shared, masks)
    choice = f", or {suffix_line(suffix)} to take one kind" if count > 1 and not suffix[-1].isdigit() else ""
    sentence = (
        f"{len(found)} masks belong to the image {images[first]} by their names "
        f"({names(masks[mask] for mask in found[:_SHOWN])}{' and more' if len(found) > _SHOWN else ''})"
    )
    return Advice(sentence, f"one mask for each image is needed: merge them into one file{choice}")


def _beginning(mask: str, images: Collection[str]) -> str | None:
    """Returns the longest image name that is a prefix of a mask's name and ends at a separator."""
    for end in range(len(mask) - 1, 0, -1):
        before, after = mask[end - 1], mask[end]
        apart = (not after.isalnum() and after != "/") or (before.isdigit() and after.isalpha())
        if apart and mask[:end] in images:
            return mask[:end]
    return None


def _advise_folders(images: Mapping[str, str], masks: Mapping[str, str], source: FoldersSource) -> Advice | None:
    """Returns the glob of masks that share one name, each in a folder named after its image."""
    bases = {posixpath.basename(path) for path in masks.values()}
    inside = sum(posixpath.dirname(name) in images for name in masks)
    if len(bases) > 1 or 2 * inside < len(masks) or not _is_plain(source.masks):
        return None
    deep = any(posixpath.dirname(name).count("/") for name in masks)
    glob = f"{source.masks[0].removesuffix('**')}{'**/' if deep else ''}*/{min(bases)}"
    return Advice(f"each mask is a {min(bases)} in a folder of its image's name", _glob_line({"masks": [glob]}))


def _advise_manifest(images: Mapping[str, str], masks: Mapping[str, str]) -> Advice | None:
    if 2 * sum(owner_of(name, images) is not None for name in masks) < len(masks):
        return None
    sentence = "the names of the masks hold those of their images, but each differs in another way"
    return Advice(sentence, "rename the masks, or list the pairs in a manifest (data.source of type manifest)")


def _advise_globs(images: Mapping[str, str], masks: Mapping[str, str], source: FoldersSource) -> Advice | None:
    """Suggests globs whose wildcards exclude the affixes in which image and mask names differ."""
    if min(len(images), len(masks)) < 2 or not _is_plain(source.images) or not _is_plain(source.masks):
        return None
    of_images, of_masks = _differing(_affixes(images), _affixes(masks))
    stripped = {of_images.strip(name) for name in images}
    matching = sum(of_masks.strip(name) in stripped for name in masks)
    if 2 * matching < len(masks) or of_images == of_masks:
        return None
    globs = {"images": _globs(source.images, images, of_images), "masks": _globs(source.masks, masks, of_masks)}
    changed = {kind: found for kind, found in globs.items() if found != list(getattr(source, kind))}
    return Advice(f"the images are named {_shape(of_images)}, the masks {_shape(of_masks)}", _glob_line(changed))


def _is_plain(written: Sequence[str]) -> bool:
    """Returns whether there is a single glob `folder/**`, to which affixes can be added."""
    return len(written) == 1 and written[0].endswith("**") and "*" not in written[0].removesuffix("**")


def _glob_line(globs: Mapping[str, Sequence[str]]) -> str:
    lines = [f"{kind}: {json.dumps(found, ensure_ascii=False)}" for kind, found in globs.items()]
    return f"write {' and '.join(lines)} under data.source"


def _differing(first: _Affixes, second: _Affixes) -> tuple[_Affixes, _Affixes]:
    """Removes the part common to both affixes: the prefixes `a` and `mask_a` become nothing and `mask_`."""
    for part in ("prefix", "suffix"):
        one, other = getattr(first, part), getattr(second, part)
        shorter, longer = sorted((one, other), key=len)
        if longer.endswith(shorter) if part == "prefix" else longer.startswith(shorter):
            cut = longer.removesuffix(shorter) if part == "prefix" else longer.removeprefix(shorter)
            first = first._replace(**{part: cut if one == longer != shorter else ""})
            second = second._replace(**{part: cut if other == longer != shorter else ""})
    return first, second


def _affixes(found: Collection[str]) -> _Affixes:
    folders, bases = zip(*map(posixpath.split, found), strict=True)
    folder = posixpath.commonpath(folders) if all(folders) else ""
    prefix = _common_beginning(bases).rstrip(string.digits)
    suffix = _common_beginning([base[len(prefix) :][::-1] for base in bases])[::-1].lstrip(string.digits)
    return _Affixes(folder, prefix, suffix if len(found) > 1 else "")


def _common_beginning(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    return first[: next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]


def _globs(written: Sequence[str], found: Mapping[str, str], affixes: _Affixes) -> list[str]:
    """Returns the single glob of `written`, `folder/**`, with the affixes."""
    base = posixpath.join(written[0].removesuffix("**"), affixes.folder, "")
    if not affixes.prefix and not affixes.suffix:
        return [f"{base}**"]
    deep = "**/" if any("/" in name for name in map(affixes.strip, found)) else ""
    ends = {posixpath.splitext(path)[1] for path in found.values()} if affixes.suffix else {""}
    return [f"{base}{deep}{affixes.prefix}*{affixes.suffix}{end}" for end in sorted(ends)]


def _shape(affixes: _Affixes) -> str:
    return repr(posixpath.join(affixes.folder, f"{affixes.prefix}…{affixes.suffix}"))
