"""Canaries that are observed in a request log, and the command that decides by it."""

from __future__ import annotations

import datetime
import io
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from pipeline.cli.main import cli
from pipeline.monitor.canary_observations import LoggedObservations, samples_of
from registry.canary_policy import CanaryPolicy
from registry.store import Registry
from serving.canary.observations import Sample
from serving.request_log.folder import LogFolder
from serving.request_log.rows import LoggedImage, to_table
from tests.support.registries import registry_of_two

POLICY = CanaryPolicy(images=60, least_images=30)
NOW = datetime.datetime.now(datetime.timezone.utc)


def row(version: int, number: int, **values: object) -> LoggedImage:
    chance = random.Random(number)
    known = {
        "time": NOW + datetime.timedelta(milliseconds=number),
        "version": version,
        "status": "OK",
        "seconds": chance.uniform(0.1, 0.2),
        "digest": f"{number:x}",
        "class_fractions": {"ground": 0.75, "roof": 0.25},
        "mean_confidence": chance.uniform(0.8, 0.9),
    }
    return LoggedImage(**{**known, **values})  # type: ignore[arg-type]


def write_log(folder: Path, rows: list[LoggedImage]) -> str:
    buffer = io.BytesIO()
    pq.write_table(to_table(rows), buffer)
    last = rows[-1].time
    assert last
    name = f"requests/date={last.date().isoformat()}/{last:%H-%M-%S.%f}-host-1-1.parquet"
    LogFolder(str(folder)).write(name, buffer.getvalue())
    return str(folder)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = registry_of_two(tmp_path, "nuclei")
    assert registry.start_canary_beside(1, 2, POLICY)
    return registry


def decide(registry: Registry, log: str, *options: str) -> str:
    arguments = ["rollout", "decide", "--registry", registry.uri, "--log", log, "--once", *options]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_samples_are_the_rows_of_a_version() -> None:
    rows = [row(1, 1), row(2, 2), row(1, 3, status="INTERNAL", error="x")]
    (first, failed) = samples_of(rows, 1)
    assert first == Sample(True, rows[0].seconds, rows[0].mean_confidence, rows[0].class_fractions)
    assert failed == Sample(False)
    assert len(samples_of(rows, 2)) == 1


def test_equal_images_count_once_and_what_the_server_refused_does_not_count() -> None:
    rows = [row(1, 1), row(1, 1), row(1, 2, status="RESOURCE_EXHAUSTED"), row(1, 3, status="CANCELLED")]
    assert len(samples_of(rows, 1)) == 1


def test_rows_from_before_the_canary_do_not_count(registry: Registry, tmp_path: Path) -> None:
    early = row(1, 1, time=NOW - datetime.timedelta(hours=1))
    log = write_log(tmp_path / "log", [early, row(1, 2), row(2, 3)])
    canary = registry.canary()
    assert canary
    began = NOW - datetime.timedelta(minutes=1)
    seen = LoggedObservations(log, "segpipe").observe(canary.model_copy(update={"since": began}), 1)
    minutes = (datetime.datetime.now(datetime.timezone.utc) - began).total_seconds() / 60
    assert (len(seen.stable), len(seen.canary)) == (1, 1)
    assert 1 <= seen.minutes == pytest.approx(minutes, abs=0.5)


@pytest.mark.parametrize(
    ("fault", "printed", "labels"),
    [
        ({}, "version 2 was promoted automatically: not worse on 60 images", {"stable": 2}),
        ({"status": "INTERNAL"}, "version 2 was rolled back automatically: worse on 60 images", {"stable": 1}),
    ],
)
def test_the_command_decides_and_says_why(
    registry: Registry, tmp_path: Path, fault: dict[str, str], printed: str, labels: dict[str, int]
) -> None:
    canary = registry.canary()
    assert canary
    begin = {"time": canary.since + datetime.timedelta(microseconds=1)}
    rows = [row(1, number, **begin) for number in range(60)] + [row(2, 60 + i, **begin, **fault) for i in range(60)]
    log = write_log(tmp_path / "log", rows)
    textfile = tmp_path / "canary.prom"
    assert printed in decide(registry, log, "--textfile", str(textfile))
    assert registry.labels() == labels
    assert "segpipe_canary_decided_timestamp_seconds" in textfile.read_text()
    assert decide(registry, log) == "there is no canary that is decided automatically\n"
    described = CliRunner().invoke(cli, ["rollout", "--registry", registry.uri]).output
    assert printed in described


def test_the_command_waits_for_requests(registry: Registry, tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", [row(1, 1)])
    assert decide(registry, log) == (
        "the canary stays: 0 images compared, and a decision needs 30; "
        "the log has no request that version 2 was given\n"
    )
    described = CliRunner().invoke(cli, ["rollout", "--registry", registry.uri]).output
    assert "it is decided automatically after 60 compared images (shadow)" in described
