"""Which interpreter and which set the bootstrap takes, on machines made up of fake interpreters."""

from __future__ import annotations

import pytest

OLD, NEW = "2.36", "2.39"


@pytest.mark.parametrize("version", ["3.11.9", "3.12.3", "3.13.5"])
def test_a_new_c_library_gets_the_newer_set(machine, version):
    name = "python" + version.rsplit(".", 1)[0]
    python = machine.has_python(name, version, NEW)
    assert machine.choice() == (
        f"segpipe: tfx-1.21 with Python {version} ({python}): this machine's glibc {NEW} is new enough for it.\n"
    )


def test_an_old_c_library_gets_the_older_set_and_hears_why(machine):
    machine.has_python("python3.12", "3.12.3", OLD)
    python = machine.has_python("python3.10", "3.10.13", OLD)
    reason = f"the newer tfx-1.21 needs glibc 2.38, and this machine has {OLD}"
    assert machine.choice() == f"segpipe: tfx-1.16 with Python 3.10.13 ({python}): {reason}.\n"


@pytest.mark.parametrize(("glibc", "set_"), [("2.37", "tfx-1.16"), ("2.38", "tfx-1.21"), ("2.100", "tfx-1.21")])
def test_the_line_is_drawn_at_glibc_2_38(machine, glibc, set_):
    machine.has_python("python3.10", "3.10.13", glibc)
    machine.has_python("python3.11", "3.11.9", glibc)
    assert f"segpipe: {set_} with" in machine.choice()


def test_with_python_3_10_alone_a_new_machine_gets_the_older_set(machine):
    machine.has_python("python3.10", "3.10.13", NEW)
    assert "tfx-1.16 with Python 3.10.13" in machine.choice()


def test_the_newest_python_that_fits_is_taken(machine):
    for version in ("3.10.13", "3.11.9", "3.13.5", "3.12.3"):
        machine.has_python("python" + version.rsplit(".", 1)[0], version, NEW)
    assert "Python 3.13.5" in machine.choice()


@pytest.mark.parametrize("name", ["python3", "python"])
def test_an_interpreter_without_a_version_in_its_name_is_found(machine, name):
    machine.has_python(name, "3.12.3", NEW)
    assert "tfx-1.21 with Python 3.12.3" in machine.choice()


def test_a_shim_that_cannot_start_is_passed_over(machine):
    machine.has_pyenv_shim("python3.13")
    machine.has_python("python3.12", "3.12.3", NEW)
    assert "Python 3.12.3" in machine.choice()


def test_a_shim_does_not_hide_the_real_one_behind_it_on_the_path(machine):
    machine.has_pyenv_shim("python3.12", folder="shims")
    machine.has_python("python3.12", "3.12.3", NEW)
    assert "Python 3.12.3" in machine.choice(PATH=f"{machine.root / 'shims'}:{machine.bin}")


def test_pyenvs_versions_are_found_behind_its_shims(machine):
    machine.has_pyenv_shim("python3.10")
    python = machine.has_python("python", "3.10.13", OLD, folder=machine.root / ".pyenv/versions/3.10.13/bin")
    assert f"({python})" in machine.choice()


def test_pyenv_may_live_elsewhere(machine):
    python = machine.has_python("python", "3.10.13", OLD, folder=machine.root / "elsewhere/versions/3.10.13/bin")
    assert f"({python})" in machine.choice(PYENV_ROOT=str(machine.root / "elsewhere"))


def test_uvs_pythons_are_found(machine):
    machine.script(machine.bin / "uv", f'[ "$*" = "python dir" ] && echo "{machine.root}/uv"')
    python = machine.has_python(
        "python3.12", "3.12.3", NEW, folder=machine.root / "uv/cpython-3.12.3-linux-x86_64-gnu/bin"
    )
    assert f"({python})" in machine.choice()


def test_an_interpreter_that_is_believed_was_run_once(machine):
    python = machine.has_python("python3.12", "3.12.3", NEW)
    machine.choice()
    assert python.with_name("python3.12.starts").read_text() == "x\n"


def test_the_named_python_wins(machine):
    machine.has_python("python3.13", "3.13.5", NEW)
    named = machine.has_python("mine", "3.10.13", NEW)
    assert f"tfx-1.16 with Python 3.10.13 ({named}): PYTHON asks for it" in machine.choice(PYTHON=str(named))
    assert f"({named})" in machine.choice(PYTHON="mine"), "a name on the PATH does too"


@pytest.mark.parametrize(
    ("version", "glibc", "implementation", "bits", "reason"),
    [
        ("3.9.18", NEW, "CPython", 64, "it is Python 3.9.18, and 3.10 to 3.13 fit"),
        ("3.14.0", NEW, "CPython", 64, "it is Python 3.14.0, and 3.10 to 3.13 fit"),
        ("2.7.18", NEW, "CPython", 64, "it is Python 2.7.18, and 3.10 to 3.13 fit"),
        ("3.12.3", OLD, "CPython", 64, "tfx-1.21, which needs glibc 2.38, and this machine has 2.36: use Python 3.10"),
        ("3.10.13", NEW, "PyPy", 64, "TensorFlow needs a 64-bit CPython"),
        ("3.10.13", NEW, "CPython", 32, "TensorFlow needs a 64-bit CPython"),
        ("3.12.3", "-", "CPython", 64, "it runs without glibc"),
    ],
)
def test_a_named_python_that_does_not_fit_is_refused_with_the_reason(
    machine, version, glibc, implementation, bits, reason
):
    machine.has_python("python3.13", "3.13.5", NEW)  # would fit, but was not asked for
    machine.has_python("mine", version, glibc, implementation=implementation, bits=bits)
    refusal = machine.refusal(PYTHON="mine")
    assert refusal.startswith("segpipe: PYTHON=mine does not fit: ")
    assert reason in refusal


def test_a_named_python_that_cannot_start_or_is_not_there_is_refused(machine):
    machine.has_pyenv_shim("python3.10")
    assert "PYTHON=python3.10 does not fit: it does not start" in machine.refusal(PYTHON="python3.10")
    assert "PYTHON=nowhere does not fit: command not found" in machine.refusal(PYTHON="nowhere")


def test_where_none_fits_an_old_machine_is_told_to_get_python_3_10(machine):
    machine.has_glibc(OLD)
    machine.has_python("python3.11", "3.11.2", OLD)
    refusal = machine.refusal()
    assert "no fitting Python found: with this machine's glibc 2.36 it has to be 3.10" in refusal
    assert "uv python install 3.10" in refusal
    assert "pyenv install 3.10" in refusal


def test_where_none_fits_a_new_machine_is_told_to_get_a_newer_one(machine):
    machine.has_glibc(NEW)
    machine.has_python("python3", "3.9.2", NEW)
    refusal = machine.refusal()
    assert "install 3.11, 3.12 or 3.13 with `apt-get install python3-venv python3-dev g++`" in refusal


def test_where_there_is_no_glibc_another_system_is_advised(machine):
    machine.script(machine.bin / "getconf", "exit 1")
    assert "this system has no glibc" in machine.refusal()
