"""A compiled pipeline whose Beam steps run on Flink ends as a run in one process, though Flink sees one claim alone.

The pods' own disks are hidden from the workers, which run in a pod of their own beside Flink, with the claim.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.beam.leftovers import PREFIX
from pipeline.config.run_config import load_config
from pipeline.kubeflow.compile.compiler import compile_pipeline
from registry.store import Registry
from tests.kubeflow.emulator import Backend
from tests.kubeflow.pods import NAMESPACE, isolation, start_pod
from tests.support.beam_runs import assert_same_references, assert_same_statistics, written_files
from tests.support.beam_server import ADDRESS, beam_server, need_engine
from tests.support.tiny import segpipe, write_use_case

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(isolation() != NAMESPACE, reason="pods beside each other need mount namespaces"),
]
POOL = 15000
MOUNT = "/mnt/segpipe"
QUICK = ["trainer.epochs=2", "serving_check=null", "report.scored=0"]
ON_FLINK = [
    "workspace=null",
    "data.source.root=data",
    "registry=registry",
    "kubeflow.steps={default: {retries: 0}}",
    f"beam={{runner: flink, job_server: '{ADDRESS}', environment: external, worker_pool: 'localhost:{POOL}', "
    "staging: staging}",
]


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("volume")


@pytest.fixture(scope="module")
def flink(volume: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A job server with its Flink, and workers that see the claim."""
    need_engine("flink")
    folder = tmp_path_factory.mktemp("flink")
    for name in ("tmp", "disk"):
        (folder / name).mkdir()
    pool = ["segpipe-step", "beam-workers", "--port", str(POOL)]
    with beam_server(folder), start_pod(pool, {MOUNT: volume, "/tmp": folder / "tmp"}, {}, folder / "disk") as process:
        assert process.stdout is not None
        told: list[str] = []
        reader = threading.Thread(target=told.extend, args=(process.stdout,))  # A full pipe would stop the workers.
        reader.start()
        wait_for(POOL)
        yield
        process.terminate()
        process.wait(60)
        reader.join()
        print(*told, sep="")


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        else:
            return


def output(bucket: Path, task: str) -> dict[str, bytes]:
    """The files of a task's outputs by their place below the task, with their bytes; without its log."""
    (folder,) = (path for path in bucket.glob(f"mlpipeline/v2/artifacts/tiny/*/{task}/*") if path.is_dir())
    files = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
    return {name: file.read_bytes() for name, file in files.items() if not name.startswith("executor-logs")}


@contextlib.contextmanager
def leftovers(staging: Path) -> Iterator[list[Path]]:
    """Puts a second temporary folder beside each that a file sink makes, as a part of a job that is repeated does."""
    planted: list[Path] = []
    has_ended = threading.Event()

    def plant() -> None:
        while not has_ended.wait(0.02):
            with contextlib.suppress(FileNotFoundError):  # Steps remove folders meanwhile.
                for folder in {path.parent for path in staging.rglob(f"{PREFIX}*")} - {path.parent for path in planted}:
                    leftover = folder / f"{PREFIX}of-a-repeated-part"
                    leftover.mkdir()
                    planted.append(leftover)
                    (leftover / "shard").touch()

    thread = threading.Thread(target=plant)
    thread.start()
    try:
        yield planted
    finally:
        has_ended.set()
        thread.join()


def test_it_ends_as_a_run_in_one_process(volume: Path, flink: None, tmp_path: Path) -> None:
    del flink
    config = write_use_case(volume)
    overrides = [part for setting in QUICK for part in ("--set", setting)]
    local = segpipe("run", config, *overrides, "--set", f"workspace={tmp_path}/run")
    assert local.returncode == 0, local.stdout + local.stderr

    backend = Backend(tmp_path / "bucket", {"segpipe": volume})
    with leftovers(volume / "staging") as planted:
        run = backend.run(compile_pipeline(load_config(config, [*QUICK, *ON_FLINK])))
    assert run.succeeded, "\n".join(f"== {task.name}: {task.state}\n{task.log}" for task in run.tasks.values())

    ingested = output(tmp_path / "bucket", "image-mask-example-gen")
    assert ingested == written_files(tmp_path / "run", "ImageMaskExampleGen")
    statistics = output(tmp_path / "bucket", "statistics-gen")
    assert_same_statistics(statistics, written_files(tmp_path / "run", "StatisticsGen"))
    registries = [Registry(str(folder / "registry")) for folder in (tmp_path / "run", volume)]
    here, there = (registry.served_manifest() for registry in registries)
    assert here is not None and there is not None
    assert there.metrics == here.metrics
    assert_same_references(*(registry.reference(1) for registry in registries))
    assert list((volume / "staging").iterdir()) == []
    assert planted
    assert not list((tmp_path / "bucket").rglob(f"{PREFIX}*"))
    assert "/mnt/segpipe/staging" not in json.dumps([a.properties for a in backend.store.artifacts.values()])
