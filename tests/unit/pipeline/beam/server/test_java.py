"""Which Java is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.beam.server.java import find_java


def put_java(folder: Path, version: str) -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    java.chmod(0o755)
    return java


@pytest.mark.parametrize("version", ["17.0.15", "11.0.2"])
def test_the_versions_of_flink_are_taken(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = put_java(tmp_path, version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java() == str(java)


@pytest.mark.parametrize(("version", "told"), [("1.8.0_402", "is 8"), ("21.0.1", "is 21"), ("x", "unknown version")])
def test_others_are_refused(version: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_java(tmp_path, version)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/bin")
    with pytest.raises(UserError, match=rf"needs Java 11 or 17, but .* {told}; install"):
        find_java()


def test_a_machine_without_java_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"none is on the PATH; install it .*openjdk-17"):
        find_java()
