"""The image, in containers: `make test-image`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kubeflow.emulator import Backend
from tests.support.container import IMAGE, configuration, containers, run
from tests.support.tiny import write_use_case

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IMAGE, reason="no image is named; `make test-image` does, after `make image`"),
]


def test_the_user_is_a_number_other_than_roots() -> None:
    user = configuration(IMAGE)["User"]
    assert all(part.isdigit() and int(part) > 0 for part in user.split(":"))
    assert run(IMAGE, "id", "-u").stdout.strip() != "0"


def test_the_image_says_what_it_is() -> None:
    labels = configuration(IMAGE)["Labels"]
    for name in ("title", "description", "version", "revision", "created", "base.name"):
        assert labels[f"org.opencontainers.image.{name}"]


def test_nothing_of_the_building_machine_is_left() -> None:
    config = configuration(IMAGE)
    assert not [entry for entry in config["Env"] if entry.startswith(("PIP_", "UV_", "SSL_", "http", "HTTP"))]
    found = run(IMAGE, "sh", "-c", "ls -d /settings /src /opt/uv /root/.cache; command -v pip uv cc gcc g++ strip")
    assert found.stdout == ""


def test_nothing_but_scratch_can_be_written() -> None:
    done = run(IMAGE, "sh", "-c", 'touch /opt/segpipe/x || touch /etc/x || touch "$HOME/x" && echo "$HOME"')
    assert done.stdout.strip() == "/tmp"
    assert "Read-only file system" in done.stderr


def test_all_of_the_packages_is_compiled() -> None:
    count = (
        "import pathlib, sysconfig;"
        "files = [p for p in pathlib.Path(sysconfig.get_path('purelib')).rglob('*.py') if 'lib2to3' not in str(p)];"
        "bare = [p for p in files if not list((p.parent / '__pycache__').glob(p.stem + '.*.pyc'))];"
        "print(len(bare) / len(files))"
    )
    assert float(run(IMAGE, "python", "-c", count).stdout) < 0.01


@pytest.mark.parametrize("command", ["segpipe", "segpipe-step"])
def test_both_commands_are_there(command: str) -> None:
    done = run(IMAGE, command, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()


def test_the_whole_pipeline_runs_without_network_root_or_writable_system(tmp_path: Path) -> None:
    config = write_use_case(tmp_path)
    for command in (
        ("schema", "infer", config),
        ("run", config),
        ("versions", "--registry", tmp_path / "run/registry"),
    ):
        done = run(IMAGE, "segpipe", *command, mounts={str(tmp_path): tmp_path})
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "served" in done.stdout


def test_every_step_of_the_compiled_pipeline_runs_in_a_container(tmp_path: Path) -> None:
    volume, bucket = tmp_path / "volume", tmp_path / "bucket"
    volume.mkdir()
    bucket.mkdir()
    _write_with_relative_paths(volume)
    script = "segpipe schema infer tiny.yaml && segpipe compile tiny.yaml -o pipeline.yaml"
    prepared = run(IMAGE, "sh", "-c", f"cd {volume} && {script}", mounts={str(volume): volume})
    assert prepared.returncode == 0, prepared.stderr
    backend = Backend(bucket, claims={"segpipe": volume}, start=containers(IMAGE))
    done = backend.run((volume / "pipeline.yaml").read_text())
    assert done.succeeded, [(task.name, task.state, task.log[-2000:]) for task in done.tasks.values()]
    assert list((volume / "run/registry").rglob("saved_model.pb"))


def _write_with_relative_paths(folder: Path) -> None:
    config = write_use_case(folder)
    config.write_text(
        config.read_text().replace(f"{folder}/", "").replace("name: tiny\n", "name: tiny\nregistry: run/registry\n")
    )
