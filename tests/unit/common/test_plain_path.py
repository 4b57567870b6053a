"""Aliases of paths that TensorFlow and Beam would take for patterns."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow as tf
from apache_beam.io.filesystems import FileSystems
from hypothesis import given
from hypothesis import strategies as st

from common import plain_path as module
from common.errors import UserError
from common.plain_path import is_plain, plain_path, plain_temporary_files, plain_uri, without_aliases

ODD = ["a [1]", "b*", "c?", "[d]", "e]", "[!f]", "g\\h", "i\nj", "ü [v2] *", "[[k]]"]


@pytest.fixture(scope="module", autouse=True)
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A place for this module's many aliases that goes with the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PLACES", (str(tmp_path_factory.mktemp("aliases")),))
        yield


@pytest.mark.parametrize("path", ["/data/runs", "/da ta/ü/名", "/a#b/%20/c,d;e=f", "/{x}/$HOME/'q'", "relative/x"])
def test_a_path_without_wildcards_stays_as_it_is(path: str) -> None:
    assert plain_path(path) == Path(path)


@pytest.mark.parametrize("name", ODD)
def test_a_folder_with_wildcards_is_reached_through_a_plain_path(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    alias = plain_path(folder)
    assert is_plain(alias)
    (alias / "written").write_text("x")
    assert (folder / "written").read_text() == "x"


@pytest.mark.parametrize("name", ODD)
def test_beam_deletes_and_tensorflow_restores_below_the_alias(tmp_path: Path, name: str) -> None:
    (tmp_path / name / "gone").mkdir(parents=True)
    alias = plain_path(tmp_path / name)
    FileSystems.delete([f"{alias}/gone"])
    assert not (tmp_path / name / "gone").exists()
    saved = tf.train.Checkpoint(x=tf.Variable(3.0)).write(f"{alias}/saved")
    restored = tf.train.Checkpoint(x=tf.Variable(0.0))
    restored.read(saved).assert_consumed()
    assert restored.x.numpy() == 3.0


@given(st.text(st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=40))
def test_every_name_gets_a_plain_path(name: str) -> None:
    assert is_plain(plain_path(f"/nowhere/{name}"))


def test_a_folder_has_the_same_alias_every_time_and_another_folder_another_one(tmp_path: Path) -> None:
    assert plain_path(tmp_path / "[1]") == plain_path(tmp_path / "[1]")
    assert plain_path(tmp_path / "[1]") != plain_path(tmp_path / "[2]")


def test_a_file_below_a_folder_with_wildcards_keeps_its_name(tmp_path: Path) -> None:
    file = tmp_path / "[1]" / "weights.h5"
    file.parent.mkdir()
    file.write_text("x")
    assert plain_path(file).name == "weights.h5"
    assert plain_path(file).read_text() == "x"


def test_a_link_that_leads_elsewhere_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "[1]"
    folder.mkdir()
    alias = plain_path(folder)
    alias.unlink()
    alias.symlink_to(tmp_path / "elsewhere")
    assert plain_path(folder).resolve() == folder.resolve()


def test_nobody_else_may_change_the_aliases(tmp_path: Path) -> None:
    folder = plain_path(tmp_path / "[1]").parent
    assert stat.S_IMODE(folder.stat().st_mode) & 0o022 == 0
    assert folder.stat().st_uid == os.geteuid()


def test_a_folder_that_others_may_write_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for place in (first, second):
        place.mkdir()
    (first / f"segpipe-{os.geteuid()}").mkdir()
    (first / f"segpipe-{os.geteuid()}").chmod(0o777)
    monkeypatch.setattr(module, "_PLACES", (str(first), str(second)))
    assert plain_path(tmp_path / "[1]").is_relative_to(second)


def test_without_a_place_for_aliases_a_sentence_names_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PLACES", (str(tmp_path / "missing"),))
    monkeypatch.delenv("TMPDIR", raising=False)
    with pytest.raises(UserError, match=r"\[1\] has characters that TensorFlow takes for wildcards"):
        plain_path(tmp_path / "[1]")


def test_a_message_names_the_path_that_an_alias_stands_for(tmp_path: Path) -> None:
    folder = tmp_path / "a [1]"
    text = without_aliases(f"report: {plain_path(folder)}/x.html; 'segpipe-0/0123456789abcdef' and /tmp stay")
    assert text == f"report: {folder}/x.html; 'segpipe-0/0123456789abcdef' and /tmp stay"


def test_a_buckets_address_stays_as_it_is() -> None:
    assert plain_uri("gs://bucket/[1]") == "gs://bucket/[1]"


def test_temporary_files_have_plain_paths_for_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "[1]").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "[1]"))
    with plain_temporary_files():
        assert is_plain(tempfile.gettempdir())
        assert is_plain(os.environ["TMPDIR"])
        with tempfile.NamedTemporaryFile() as file:
            assert Path(file.name).resolve().parent == (tmp_path / "[1]").resolve()
    assert os.environ["TMPDIR"] == str(tmp_path / "[1]")
