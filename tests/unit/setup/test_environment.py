"""How the bootstrap makes, keeps and mends the environment: real venvs, and a stand-in for the package installer."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PYTHON = Path(sys._base_executable).resolve()

FAKE_UV = f"""
case "$1 $2" in
  "venv -q") for venv; do :; done; exec "{PYTHON}" -m venv --without-pip "$venv" ;;
  "pip install")
    for requirement; do :; done
    echo "$requirement" >>installed
    echo "$UV_DEFAULT_INDEX|$UV_INDEX" >indexes
    [ ! -e fail ] && ! {{ [ -e offline ] && [ "$requirement" = pyfarmhash ]; }}
    ;;
esac
"""


class Project:
    """A clone on a machine with a fitting Python and uv."""

    def __init__(self, machine, root: Path):
        self.machine = machine
        self.root = root
        (root / "scripts").mkdir(parents=True)
        shutil.copy(ROOT / "scripts" / "bootstrap", root / "scripts")
        shutil.copy(ROOT / "setup.py", root)
        shutil.copytree(ROOT / "constraints", root / "constraints")
        (root / "segpipe_client").mkdir()
        for requirements in (ROOT / "segpipe_client").glob("requirements*.txt"):
            shutil.copy(requirements, root / "segpipe_client")

    def bootstrap(self, target: str, **environment: str) -> str:
        environment = {"PYTHON": str(PYTHON), "CXX": "sh", **environment}
        done = self.machine.bootstrap(target, project=self.root, **environment)
        self.succeeded = done.returncode == 0
        return done.stderr

    @property
    def installed(self) -> list[str]:
        """What the installer was asked for since the last look."""
        log = self.root / "installed"
        asked = [line for line in log.read_text().split() if line != "pyfarmhash"] if log.exists() else []
        log.unlink(missing_ok=True)
        return asked


@pytest.fixture
def project(machine, tmp_path: Path) -> Project:
    for name in ("mkdir", "rm", "mv", "head", "grep", "date", "printenv"):
        found = shutil.which(name)
        assert found
        if not (machine.bin / name).exists():
            (machine.bin / name).symlink_to(found)
    machine.script(machine.bin / "uv", FAKE_UV)
    return Project(machine, tmp_path / "clone")


def test_the_first_call_installs_and_the_second_has_nothing_to_do(project):
    said = project.bootstrap("run")
    assert project.succeeded, said
    assert said.startswith("segpipe: installing tfx-1.")
    assert project.installed == ["."]
    assert project.bootstrap("run") == ""
    assert project.installed == []


def test_the_tests_bring_more_than_a_run_and_neither_needs_the_other(project):
    project.bootstrap("test")
    assert project.installed == [".[test,docs,geo,onnx]"]
    project.bootstrap("run")
    assert project.installed == [], "what the tests need holds what a run needs"
    shutil.rmtree(project.root / ".venv")
    project.bootstrap("run")
    project.bootstrap("test")
    assert project.installed == [".", ".[test,docs,geo,onnx]"]


def test_what_was_left_unfinished_is_made_again(project):
    (project.root / "fail").touch()
    project.bootstrap("run")
    assert not project.succeeded
    (project.root / "fail").unlink()
    stray = project.root / ".venv" / "half-copied"
    stray.touch()
    assert "left unfinished and is made again" in project.bootstrap("run")
    assert project.succeeded
    assert not stray.exists()


@pytest.mark.parametrize(
    "changed",
    ["setup.py", "segpipe_client/requirements.txt", "constraints/tfx-1.16.txt", "constraints/tfx-1.21.txt"],
)
def test_changed_pins_are_installed_into_what_is_there(project, changed):
    project.bootstrap("run")
    chosen = (project.root / ".venv" / ".segpipe" / "set").read_text().strip()
    assert project.installed == ["."]
    kept = project.root / ".venv" / "kept"
    kept.touch()
    with (project.root / changed).open("a") as file:
        file.write("# another line\n")
    said = project.bootstrap("run")
    concerned = not changed.startswith("constraints/") or chosen in changed
    assert project.installed == (["."] if concerned else [])
    assert said.startswith(f"segpipe: bringing .venv to the pins of {chosen}") == concerned
    assert kept.exists()


def test_a_moved_project_gets_a_new_environment(project, tmp_path):
    project.bootstrap("run")
    project.root = project.root.rename(tmp_path / "moved")
    assert "belongs to another folder or another Python and is made again" in project.bootstrap("run")
    assert project.succeeded


def test_a_python_that_does_not_fit_removes_nothing(project):
    project.bootstrap("run")
    project.machine.has_python("old", "3.9.18", "2.36")
    assert "PYTHON=old does not fit" in project.bootstrap("run", PYTHON="old")
    assert project.bootstrap("run") == "", "the environment is as it was"


def test_pips_settings_hold_for_uv(project):
    extra = "https://a.invalid/simple https://b.invalid/simple"
    project.bootstrap("run", PIP_INDEX_URL="https://mirror.invalid/simple", PIP_EXTRA_INDEX_URL=extra)
    assert (project.root / "indexes").read_text() == f"https://mirror.invalid/simple|{extra}\n"


@pytest.mark.skipif(subprocess.run([PYTHON, "-m", "pip", "-V"]).returncode != 0, reason="pip has to read its own files")
def test_pips_settings_files_hold_for_uv(project, tmp_path):
    settings = tmp_path / "pip.conf"
    settings.write_text(
        "[global]\nindex-url = https://mirror.invalid/simple\n"
        "extra-index-url = https://a.invalid/simple\n  https://b.invalid/simple\n"
    )
    project.bootstrap("run", PIP_CONFIG_FILE=str(settings))
    indexes = (project.root / "indexes").read_text()
    assert indexes == "https://mirror.invalid/simple|https://a.invalid/simple https://b.invalid/simple\n"


def test_uvs_own_settings_go_before_pips(project):
    project.bootstrap("run", PIP_INDEX_URL="https://pip.invalid/simple", UV_DEFAULT_INDEX="https://uv.invalid/simple")
    assert (project.root / "indexes").read_text() == "https://uv.invalid/simple|\n"


def test_a_removed_environments_own_uv_is_not_called(project):
    project.bootstrap("run")
    own_uv = project.root / ".venv" / "bin" / "uv"
    (project.machine.bin / "uv").rename(own_uv)
    (project.root / ".venv" / ".segpipe" / "making").touch()
    said = project.bootstrap("run", PIP_NO_INDEX="1")
    assert "uv cannot be had here; pip takes some minutes." in said
    assert "the packages could not be installed, as said above; the same command tries again." in said
    assert not own_uv.exists()


def test_somebody_elses_environment_that_does_not_fit_is_left_alone(project):
    (project.root / ".venv").mkdir()
    (project.root / ".venv" / "precious").touch()
    said = project.bootstrap("run")
    assert not project.succeeded
    assert ".venv is there and does not fit: command not found. Move it away" in said
    assert (project.root / ".venv" / "precious").exists()


def test_another_folder_may_be_named(project):
    project.bootstrap("run", VENV=".venv-other")
    assert (project.root / ".venv-other" / "bin" / "python").exists()
    assert not (project.root / ".venv").exists()


def test_a_missing_compiler_is_told_before_the_big_downloads(project):
    (project.root / "offline").touch()
    said = project.bootstrap("run", CXX="no-such-compiler")
    assert not project.succeeded
    assert "a C++ compiler and Python's headers are needed: `apt-get install g++ python3." in said
    assert project.installed == []


def test_a_missing_compiler_does_not_matter_where_a_ready_wheel_is_at_hand(project):
    said = project.bootstrap("run", CXX="no-such-compiler")
    assert project.succeeded, said
