"""How many workers `all` is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.beam import worker_count
from pipeline.beam.config import LocalBeam
from pipeline.beam.worker_count import WORKER_BYTES, count_workers, free_memory, threads_of_each


@pytest.mark.parametrize(("cores", "free", "workers"), [(8, 64, 8), (8, 3.5, 3), (8, 0.2, 1), (2, 64, 2)])
def test_all_is_a_worker_for_each_core_that_memory_allows(
    monkeypatch: pytest.MonkeyPatch, cores: int, free: float, workers: int
) -> None:
    monkeypatch.setattr(worker_count, "cores", lambda: cores)
    monkeypatch.setattr(worker_count, "free_memory", lambda: int(free * WORKER_BYTES))
    found = count_workers(LocalBeam(workers="all"))
    assert found.workers == workers
    assert f"{cores} cores" in found.reason and "GB a worker" in found.reason


def test_a_number_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_count, "free_memory", lambda: 0)
    assert count_workers(LocalBeam(workers=5)).workers == 5


@pytest.mark.parametrize(("cores", "workers", "threads"), [(8, 2, 4), (8, 3, 2), (2, 2, 1), (2, 5, 1)])
def test_the_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, threads: int) -> None:
    monkeypatch.setattr(worker_count, "cores", lambda: cores)
    assert threads_of_each(LocalBeam(workers=workers)) == threads


def test_a_containers_limits_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n")
    (tmp_path / "memory.max").write_text("4000000000\n")
    (tmp_path / "memory.current").write_text("3000000000\n")
    (tmp_path / "memory.stat").write_text("anon 900000000\ninactive_file 2000000000\n")
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    monkeypatch.setattr(worker_count, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(worker_count, "_CGROUP", tmp_path)
    assert free_memory() == 3_000_000_000, "what files are cached in can be taken"
    assert worker_count.cores() <= 2


def test_a_container_without_limits_is_its_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemAvailable: 8000000 kB\n")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    monkeypatch.setattr(worker_count, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(worker_count, "_CGROUP", tmp_path)
    assert free_memory() == 8_000_000 * 1024
    assert worker_count.cores() >= 1
