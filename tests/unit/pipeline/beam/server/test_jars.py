"""The jars of the job server."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.beam.server.jars import FLINK_JARS, SPARK_JARS, check_hashes, provide_jars


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    for name in ("a.jar", "b.jar"):
        (tmp_path / name).write_text(name)
    return tmp_path


EXPECTED = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("a.jar", "b.jar")}


def test_the_lists_have_beams_runner_and_the_engine() -> None:
    assert {"beam-runners-flink-1.19-2.62.0.jar", "flink-runtime-1.19.0.jar"} <= set(FLINK_JARS.expected_hashes())
    assert {"beam-runners-spark-3-2.62.0.jar", "spark-core_2.12-3.5.0.jar"} <= set(SPARK_JARS.expected_hashes())


def test_each_engine_has_a_folder_of_its_own() -> None:
    assert FLINK_JARS.cache_folder() != SPARK_JARS.cache_folder()


def test_the_jars_that_were_tried_are_accepted(jars: Path) -> None:
    check_hashes(jars, EXPECTED)


def test_another_content_a_missing_and_a_foreign_jar_are_refused(jars: Path) -> None:
    (jars / "b.jar").write_text("something else")
    with pytest.raises(UserError, match=r"b.jar is not the file that was tried \(its SHA-256 is "):
        check_hashes(jars, EXPECTED)
    (jars / "b.jar").unlink()
    with pytest.raises(UserError, match=r"b.jar is missing; remove the folder"):
        check_hashes(jars, EXPECTED)
    (jars / "c.jar").touch()
    with pytest.raises(UserError, match=r"c.jar is not one of the job server's jars"):
        check_hashes(jars, {"a.jar": EXPECTED["a.jar"]})


def test_without_maven_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"no `mvn` is on the PATH; install it"):
        provide_jars(FLINK_JARS, tmp_path, lambda _: None)


def test_mavens_own_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho '[ERROR] Unknown host repository.example'\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(UserError, match=r"could not fetch .*: Unknown host repository.example"):
        provide_jars(FLINK_JARS, tmp_path / "cache", lambda _: None)
