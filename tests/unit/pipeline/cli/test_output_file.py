"""The file that a command writes: as a whole, or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.cli.output_file import check_all_writable, check_writable, staged_file, write_file


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("before")

    def half(staged: Path, data: bytes) -> int:
        with staged.open("wb") as file:
            file.write(data[:2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(UserError, match=r"cannot write .*report.html: No space left on device; name .* with --page"):
        write_file(path, "after", "--page")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interruption_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("before")

    def interrupted(_: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_file(path, "after")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_one_and_the_mode_stays(tmp_path: Path) -> None:
    (tmp_path / "file").touch(mode=0o600)
    (tmp_path / "link").symlink_to("file")
    write_file(tmp_path / "link", "after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "after"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_a_device_and_a_pipe_are_written_in_place(tmp_path: Path) -> None:
    check_writable(Path("/dev/null"))
    write_file(Path("/dev/null"), "text")
    reading, writing = os.pipe()
    write_file(Path(f"/dev/fd/{writing}"), "text")
    os.close(writing)
    assert os.read(reading, 10) == b"text"
    os.close(reading)


def test_a_file_in_a_folder_that_takes_no_new_one_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mounted"
    path.write_text("before")

    def busy(_: Path, target: Path) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(Path, "replace", busy)
    write_file(path, "after")
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_of_hdf5_is_told_in_the_system_s_words(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "Can't synchronously write data (file write failed: time = Sat Nov 28\n, filename = …")
    with pytest.raises(UserError, match=r"a\.h5: No space left on device; name"), staged_file(tmp_path / "a.h5"):
        raise full
    assert not list(tmp_path.iterdir())


def test_an_error_names_the_option_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    files = {"--out": tmp_path / "a", "--sheet": tmp_path / "folder", "--page": None}
    with pytest.raises(UserError, match="Is a directory; name another file with --sheet"):
        check_all_writable(files)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("source", ["table.csv", "./table.csv", "link.csv"])
def test_what_is_read_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("image\n")
    (tmp_path / "link.csv").symlink_to("table.csv")
    with pytest.raises(UserError, match=r"--out table\.csv is the file that is read, and would be overwritten"):
        check_all_writable({"--out": Path("table.csv")}, source)
