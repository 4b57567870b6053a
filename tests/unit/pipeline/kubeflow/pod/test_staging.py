"""A step's artifacts where an engine's workers see them: after success, failure and a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.kubeflow.pod import launcher
from pipeline.kubeflow.pod.launcher import local_path
from pipeline.kubeflow.pod.staging import Stage, staged

ROOT = "minio://bucket/root/pipeline/run"
EXAMPLES, GRAPH, STATISTICS = (f"{ROOT}/{path}" for path in ("ingest/1/examples", "transform/7/graph", "transform/7/s"))
LOGS = f"{ROOT}/transform/7/executor-logs-0"


def listed(uri: str) -> dict[str, Any]:
    return {"artifacts": [{"uri": uri}]}


def given(task: str = "transform/7") -> dict[str, Any]:
    """The launcher's input of a step with one input and two outputs."""
    outputs = {"graph": listed(GRAPH), "statistics": listed(STATISTICS), "executor-logs": listed(LOGS)}
    moved = {key: listed(value["artifacts"][0]["uri"].replace("transform/7", task)) for key, value in outputs.items()}
    return {"inputs": {"artifacts": {"examples": listed(EXAMPLES)}}, "outputs": {"artifacts": moved}}


@pytest.fixture(autouse=True)
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pod's own disk, with the input."""
    monkeypatch.setitem(launcher.LOCAL_ROOTS, "minio://", f"{tmp_path}/disk/minio/")
    records = Path(local_path(EXAMPLES), "Split-train", "data")
    records.parent.mkdir(parents=True)
    records.write_bytes(b"records")
    return tmp_path / "disk"


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """The folder that all see."""
    return tmp_path / "shared"


def no_jobs(name: str) -> None:
    del name


def files(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
    }


def write(stage: Stage, uri: str, name: str, content: bytes) -> None:
    """What a worker does with an output."""
    file = Path(stage.paths.to_local(uri), name)
    file.parent.mkdir(parents=True)
    file.write_bytes(content)


def test_a_step_reads_its_inputs_there_and_its_outputs_come_back(shared: Path) -> None:
    with staged(str(shared), given(), no_jobs) as stage:
        assert stage.paths.to_local(EXAMPLES).startswith(f"{shared}/transform-7-")
        assert files(Path(stage.paths.to_local(EXAMPLES))) == {"Split-train/data": b"records"}
        write(stage, GRAPH, "saved/model.pb", b"graph")
        assert not Path(local_path(GRAPH)).exists()
    assert files(Path(local_path(GRAPH))) == {"saved/model.pb": b"graph"}
    assert files(Path(local_path(STATISTICS))) == {} and Path(local_path(STATISTICS)).is_dir()  # Without a file.
    assert not Path(local_path(LOGS)).exists()  # The launcher writes them.
    assert list(shared.iterdir()) == []
    assert not list(Path(local_path(GRAPH)).parent.glob(".*"))


def test_paths_there_are_known_by_their_uris(shared: Path) -> None:
    with staged(str(shared), given(), no_jobs) as stage:
        path = stage.paths.to_local(f"{GRAPH}/saved")
        assert stage.paths.to_uri(path) == f"{GRAPH}/saved"
        assert stage.paths.named_by_uri(f"wrote {path}") == f"wrote {GRAPH}/saved"


def test_an_output_of_one_file_stays_a_file(shared: Path) -> None:
    with staged(str(shared), given(), no_jobs) as stage:
        page = Path(stage.paths.to_local(GRAPH))
        page.parent.mkdir(parents=True)
        page.write_text("<html>")
    assert Path(local_path(GRAPH)).read_text() == "<html>"


def test_an_earlier_output_in_the_launchers_place_is_replaced(shared: Path) -> None:
    Path(local_path(GRAPH)).mkdir(parents=True)
    Path(local_path(GRAPH), "old").touch()
    with staged(str(shared), given(), no_jobs) as stage:
        write(stage, GRAPH, "new", b"")
    assert list(files(Path(local_path(GRAPH)))) == ["new"]


def test_after_a_failure_nothing_is_left_and_no_output_is_there(shared: Path) -> None:
    cancelled: list[str] = []
    with pytest.raises(ValueError, match="no good"), staged(str(shared), given(), cancelled.append) as stage:
        write(stage, GRAPH, "saved/model.pb", b"half")
        raise ValueError("no good")
    assert cancelled == [stage.name]
    assert list(shared.iterdir()) == []
    assert not Path(local_path(GRAPH)).exists()


def test_a_bucket_serves_as_well_as_a_folder() -> None:
    with staged("memory://bucket/stage", given(), no_jobs) as stage:
        assert stage.paths.to_local(GRAPH).startswith(f"memory://bucket/stage/{stage.name}/")
        assert stage._fs.cat_file(f"{stage._here(EXAMPLES)}/Split-train/data") == b"records"
        stage._fs.pipe_file(f"{stage._here(GRAPH)}/saved/model.pb", b"graph")
    assert files(Path(local_path(GRAPH))) == {"saved/model.pb": b"graph"}
    assert stage._fs.find("/bucket/stage") == []


# ---- a pod that is stopped or killed ---------------------------------------------------------------------------------

POD = """
    import json, signal, sys, time
    from pipeline.kubeflow.pod import entrypoint, launcher
    from pipeline.kubeflow.pod.staging import staged
    root, disk, given = sys.argv[1:]
    launcher.LOCAL_ROOTS["minio://"] = disk
    signal.signal(signal.SIGTERM, entrypoint._terminate)
    with staged(root, json.loads(given), lambda name: print("cancelled", name, flush=True)):
        print("running", flush=True)
        time.sleep(60)
"""


def stopped_by(number: signal.Signals, shared: Path, disk: Path) -> str:
    """Sends a signal to a pod in the middle of its step; returns what it has written."""
    import json

    command = [sys.executable, "-c", textwrap.dedent(POD), str(shared), f"{disk}/minio/", json.dumps(given())]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as pod:
        assert pod.stdout is not None and pod.stdout.readline() == "running\n"
        pod.send_signal(number)
        told, _ = pod.communicate(timeout=30)
    return told


def test_a_pod_that_is_asked_to_end_cancels_its_jobs_and_removes_its_folder(shared: Path, disk: Path) -> None:
    assert stopped_by(signal.SIGTERM, shared, disk).startswith("cancelled transform-7-")
    assert list(shared.iterdir()) == []


def test_what_a_killed_pod_leaves_is_removed_by_the_next_attempt_of_its_task(shared: Path, disk: Path) -> None:
    assert stopped_by(signal.SIGKILL, shared, disk) == ""
    (left,) = shared.iterdir()
    cancelled: list[str] = []
    with staged(str(shared), given(), cancelled.append) as stage:
        assert [folder.name for folder in shared.iterdir()] == [stage.name]
    assert cancelled == [left.name]


def test_another_task_removes_it_when_it_has_given_no_sign_for_an_hour(
    shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "segpipe.progress")
    for name, age in (("trainer-1-00000000", 3500), ("trainer-2-00000000", 3700)):
        sign = shared / name / "alive"
        sign.parent.mkdir(parents=True)
        sign.touch()
        os.utime(sign, (time.time() - age,) * 2)
    (shared / "somebody's").mkdir()
    with staged(str(shared), given(), no_jobs):
        pass
    assert sorted(folder.name for folder in shared.iterdir()) == ["somebody's", "trainer-1-00000000"]
    assert caplog.messages == ["staging: removed trainer-2-00000000, which a killed pod has left behind"]


def test_a_running_attempt_gives_signs_of_life(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.kubeflow.pod.staging._SECONDS_BETWEEN_SIGNS", 0.01)
    with staged(str(shared), given(), no_jobs) as stage:
        sign = shared / stage.name / "alive"
        os.utime(sign, (0, 0))
        deadline = time.monotonic() + 10
        while sign.stat().st_mtime == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_folder_that_cannot_be_removed_is_reported_and_left(shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "segpipe.progress")
    stage = Stage(str(shared), given())

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "x")

    stage._fs.rm = refuse
    stage.remove("transform-7-00000000")
    assert caplog.messages[0].startswith(f"staging: {shared}/transform-7-00000000 cannot be removed now, a later step")
