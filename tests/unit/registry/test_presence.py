"""Whether a registry can be at a place: said in one sentence, before anything begins."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from registry.errors import NoRegistryError
from registry.store import Registry


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        NoRegistryError, match=re.escape(f"the folder {tmp_path}/nowhere does not exist; check its address")
    ):
        Registry(f"{tmp_path}/nowhere").check_there()


def test_a_file_is_not_a_registry(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(NoRegistryError, match="is a file, not a folder"):
        Registry(str(tmp_path / "file")).check_there()


def test_a_folder_of_something_else_is_not_a_registry(tmp_path: Path) -> None:
    for name in ("images", "masks", "registry"):
        (tmp_path / name).mkdir()
    with pytest.raises(
        NoRegistryError, match=r"is not a registry: it holds images, masks, registry, .* did you mean .*/registry\?"
    ):
        Registry(str(tmp_path)).check_there()


def test_an_empty_folder_may_become_one(tmp_path: Path) -> None:
    Registry(str(tmp_path)).check_there()


def test_one_that_holds_a_version_is_there(uri: str, push) -> None:  # type: ignore[no-untyped-def]
    push(uri, "a")
    Registry(uri).check_there()
