"""Which workspaces a command line names, and whether a run holds one."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.dashboard.workspace_lock import is_locked
from pipeline.dashboard.workspaces import Workspaces


def workspace(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    return folder


def test_a_folder_of_workspaces_is_looked_up_each_time(tmp_path: Path) -> None:
    one = workspace(tmp_path / "one")
    found = Workspaces([tmp_path])
    assert [each.folder for each in found.current()] == [one]
    workspace(tmp_path / "two")
    (tmp_path / "other").mkdir()
    assert [each.key for each in found.current()] == ["one", "two"]


def test_by_default_it_is_the_folder_runs_which_need_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = Workspaces([])
    assert found.current() == []
    workspace(tmp_path / "runs" / "sample")
    assert [each.key for each in found.current()] == ["sample"]


def test_keys_are_unique_and_fit_into_an_address(tmp_path: Path) -> None:
    given = [workspace(tmp_path / name) for name in ("a/x", "b/x", "c/ä b [1]", "d/?")]
    found = Workspaces([*given, given[0]])
    assert [each.key for each in found.current()] == ["x", "x-2", "b-1", "workspace"]
    assert [each.folder for each in found.current()] == given


def test_a_configuration_names_workspace_and_registry(minimal: Path, tmp_path: Path) -> None:
    minimal.write_text(minimal.read_text() + f"workspace: {tmp_path}/here\nregistry: s3://team/tiny\n")
    [found] = Workspaces([minimal]).current()
    assert (found.folder, found.named_registry) == (tmp_path / "here", "s3://team/tiny")


@pytest.mark.parametrize("name", ["nothing", ""])
def test_what_is_no_workspace_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="is neither the workspace of a run"):
        Workspaces([tmp_path / name])


def test_paths_outside_are_not_inside(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("")
    folder = workspace(tmp_path / "one")
    (folder / "link").symlink_to(tmp_path / "secret")
    [one] = Workspaces([folder]).current()
    assert one.inside(folder / "lock") == folder / "lock"
    for path in ("link", "../secret", "missing", "../one-more"):
        assert one.inside(folder / path) is None


def test_a_lock_is_seen_without_being_taken(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    assert not is_locked(file)
    with file.open("w") as held:
        assert not is_locked(file)
        fcntl.flock(held, fcntl.LOCK_EX)
        assert is_locked(file)
        assert not is_locked(tmp_path / "other")
    assert not is_locked(file)
