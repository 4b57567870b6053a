"""The command: quick answers, examples, and errors in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from pipeline.cli.main import cli

COMMANDS = [
    "run",
    "crossval",
    "sample-data",
    "check",
    "preview",
    "compile",
    "tensorboard",
    "convert-weights",
    "versions",
    "rollback",
    "predict",
    "predict-batch",
    "serve",
]
COMMANDS += ["submit", "schedule", "runs", "pause", "resume", "terminate"]


def segpipe(*arguments: str, cwd: Path | None = None, columns: int = 120) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli.main", *arguments]
    environment = {"PYTHONPATH": str(Path.cwd()), "PATH": "/usr/bin:/bin", "COLUMNS": str(columns)}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_shows_an_example(command: str) -> None:
    done = segpipe(command, "--help")
    assert done.returncode == 0
    assert f"segpipe {command} " in done.stdout.partition("Example")[2]


@pytest.mark.parametrize("group", [[], ["schema"], ["rollout"]])
def test_the_help_of_a_group_shows_the_whole_summary_of_each_command(group: list[str]) -> None:
    command: click.Command = cli
    for name in group:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    assert isinstance(command, click.Group)
    done = segpipe(*group, "--help", columns=80)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "..." not in done.stdout.partition("Commands:")[2]
    shown = " ".join(done.stdout.split())
    for name, each in command.commands.items():
        summary = " ".join((each.help or "").partition("\n\n")[0].split())
        assert f"{name} {summary.removesuffix('.')}" in shown


@pytest.mark.parametrize("arguments", [["--help"], ["versions", "--registry", "nowhere"]])
def test_text_is_answered_without_tensorflow(arguments: list[str]) -> None:
    code = f"import sys; sys.argv = ['segpipe', *{arguments}]\nfrom pipeline.cli.main import main\n"
    code += "try: main()\nexcept SystemExit: assert not {'tensorflow', 'tfx', 'apache_beam', 'kfp'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_help_is_answered_in_under_a_second() -> None:
    def seconds() -> float:
        began = time.monotonic()
        segpipe("--help")
        return time.monotonic() - began

    assert min(seconds() for _ in range(3)) < 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "nowhere.yaml"], "cannot read the configuration nowhere.yaml: No such file or directory"),
        (["check", "nowhere.yaml"], "cannot read the configuration nowhere.yaml"),
        (["compile", "nowhere.yaml"], "cannot read the configuration nowhere.yaml"),
        (["preview", "nowhere.yaml"], "cannot read the configuration nowhere.yaml"),
        (["predict", "nowhere.jpg"], "image not found: nowhere.jpg"),
        (["versions"], "no registry found below runs/"),
        (["rollback", "--registry", "nowhere"], "nowhere"),
    ],
)
def test_an_error_is_one_sentence_without_a_traceback(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    done = segpipe(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ["versions"],
        ["rollback"],
        ["predict", "{here}/image.png"],
        ["serve"],
        ["sync", "--to", "{here}/pod"],
        ["rollout"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_registry_that_does_not_exist_is_said_to_be_that(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "image.png").write_bytes(b"x")
    done = segpipe(*(part.format(here=tmp_path) for part in arguments), "--registry", f"{tmp_path}/nowhere")
    assert (done.returncode, done.stderr) == (
        1,
        f"error: no registry at {tmp_path}/nowhere: the folder {tmp_path}/nowhere does not exist; check its address\n",
    )


def test_an_origin_that_is_none_and_an_engine_that_cannot_are_refused(tmp_path: Path) -> None:
    wrong = segpipe("serve", "--registry", str(tmp_path), "--allow-origin", "app.example.org")
    assert wrong.stderr.startswith(
        "error: --allow-origin: 'app.example.org' is not an origin; an origin is SCHEME://HOST"
    )
    options = ["--host", "0.0.0.0", "--engine", "tensorflow_model_server", "--allow-origin", "*"]
    cannot = segpipe("serve", "--registry", str(tmp_path), *options)
    assert cannot.stderr.splitlines()[-1].startswith("error: tensorflow_model_server does not support CORS")


def test_a_file_that_cannot_be_written_is_named() -> None:
    done = segpipe("compile", "pipeline/configs/sample.yaml", "--out", "/proc/sample.yaml")
    assert done.returncode == 1
    assert (
        done.stderr
        == "error: cannot write /proc/sample.yaml: No such file or directory; name another file with --out\n"
    )


def test_debug_shows_the_traceback() -> None:
    assert "Traceback" in segpipe("run", "nowhere.yaml", "--debug").stderr


def test_several_registries_are_told_apart_by_the_user(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "runs" / name / "registry").mkdir(parents=True)
    done = segpipe("versions", cwd=tmp_path)
    assert "name one with --registry: runs/one/registry, runs/two/registry" in done.stderr


@pytest.mark.parametrize(("set_before", "then"), [(None, "true"), ("false", "false")])
def test_a_command_takes_no_more_of_a_gpu_than_it_needs(
    set_before: str | None, then: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", set_before or "")
    if not set_before:
        monkeypatch.delenv("TF_FORCE_GPU_ALLOW_GROWTH")
    with pytest.raises(SystemExit):
        cli(["versions", "--registry", str(tmp_path)], standalone_mode=False)
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == then


@pytest.mark.parametrize("folds", ["1", "11"])
def test_folds_have_limits(folds: str) -> None:
    done = segpipe("crossval", "pipeline/configs/sample.yaml", "--folds", folds)
    assert done.returncode == 2
    assert "2<=x<=10" in done.stderr


def test_what_does_not_go_with_folds_is_refused_before_anything_runs() -> None:
    done = segpipe("crossval", "pipeline/configs/sample.yaml", "--set", "trainer.warm_start=blessed")
    assert done.returncode == 1
    assert "trainer.warm_start must not be blessed with data.split.folds" in done.stderr


CRASH = """
import atexit, os, sys
from pathlib import Path
from pipeline.cli.main import main

class Crash:
    def __del__(self):
        os.abort()

crash = Crash()
sys.modules["tensorflow"] = sys
atexit.register(Path(sys.argv.pop()).touch)
main()
"""


@pytest.mark.parametrize(("words", "status"), [(["--version"], 0), (["versions", "--registry", "nowhere"], 1)])
def test_a_crash_of_a_librarys_shutdown_does_not_change_the_exit_status(
    words: list[str], status: int, tmp_path: Path
) -> None:
    done = subprocess.run([sys.executable, "-c", CRASH, *words, str(tmp_path / "cleaned")], capture_output=True)
    assert done.returncode == status
    assert (tmp_path / "cleaned").exists(), "what was registered for the exit has run"
