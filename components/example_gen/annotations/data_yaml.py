"""Reads data.yaml of YOLO: the names of the classes, and the folders of the images."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from common.errors import UserError
from components.example_gen.files import Folder, escape_of, names, top_level
from components.example_gen.rejection import RejectionError

_MAX_BYTES = 1_000_000


def read_data_yaml(folder: Folder, path: str) -> tuple[dict[str, Any], bytes]:
    """The content of the file at `path` and its bytes; raises `UserError` if it is missing or not a mapping."""
    if escape := escape_of(path):
        raise UserError(f"data.source.file must lie below {folder.root}, but {escape}")
    info = folder.look_up([path]).get(path)
    if info is None:
        there = names(top_level(folder))
        raise UserError(f"no file {path} in {folder.root}, which holds {there}; set data.source.file")
    try:
        if info.problem:
            raise RejectionError(*info.problem)
        data = folder.read(path, _MAX_BYTES)
        content = yaml.safe_load(data)
    except RejectionError as error:
        raise UserError(f"{path} cannot be used: {error.detail}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is not a mapping with the keys names, train and val")
    return content, data


def class_names(content: Mapping[str, Any], path: str) -> dict[int, str]:
    """Number → name of the classes, from a list or a mapping; raises `UserError` if there are none."""
    found = content.get("names")
    named = dict(enumerate(found)) if isinstance(found, list) else found
    if not isinstance(named, dict) or not named:
        raise UserError(f"{path} has no names of classes; write names: {{0: NAME, …}}")
    for number, name in named.items():
        if type(number) is not int or not isinstance(name, str):
            raise UserError(f"{path} names the class {number!r} {name!r}, but a number and a text are needed")
    return named


def image_folders(
    content: Mapping[str, Any], path: str, keys: Sequence[str], given: Mapping[str, str], folder: Folder
) -> dict[str, list[str]]:
    """Key of the file → folders of its images, relative to the root, of those of `keys` that the file has.

    Raises `UserError` if a folder does not exist below the root, or the file has none of the keys.
    """
    found: dict[str, list[str]] = {}
    for key in keys:
        written = given.get(key, content.get(key))
        if written is None:
            continue
        parts: list[Any] = written if isinstance(written, list) else [written]
        if not all(isinstance(part, str) for part in parts):
            raise UserError(f"{path} has the {key} folder {written!r}, which is not a path")
        found[key] = [_existing(part, key, content.get("path"), path, folder) for part in parts]
    if not found:
        raise UserError(f"{path} has none of the keys {', '.join(keys)}; set data.source.folders")
    return found


def _existing(part: str, key: str, base: object, path: str, folder: Folder) -> str:
    """Returns the folder that `part` means; `../` in front is dropped, as YOLO itself does if nothing is there."""
    plain = part.replace("\\", "/")
    below = folder.relative(plain)
    candidates = [below] if below else list(_candidates(plain, base, posixpath.dirname(path)))
    for candidate in candidates:
        if not escape_of(candidate) and next(iter(folder.walk(candidate)), None) is not None:
            return candidate
    kind = "; lists of images are not read, only folders" if plain.endswith(".txt") else ""
    raise UserError(
        f"{path}: the {key} folder {part!r} is not a folder below {folder.root}{kind}; "
        f"write folders: {{{key}: FOLDER}} under data.source"
    )


def _candidates(part: str, base: object, beside: str) -> Iterator[str]:
    while True:
        if isinstance(base, str) and base not in ("", "."):
            yield posixpath.normpath(posixpath.join(beside, base, part))
        yield posixpath.normpath(posixpath.join(beside, part))
        if not part.startswith("../"):
            return
        part = part.removeprefix("../")
