"""The jars of Beam's job server and of Flink, fetched by Maven and compared with the hashes in this repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from common.errors import UserError

FLINK, BEAM = "1.19", "2.62.0"
"""Beam 2.62.0 is the newest runner for Flink 1.19 that was tried; it takes the jobs of the Python SDKs of both sets."""

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_HASHES = Path(__file__).with_name("flink-jars.sha256")
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>segpipe</groupId><artifactId>beam-server</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.beam</groupId><artifactId>beam-runners-flink-{FLINK}</artifactId><version>{BEAM}</version>
    </dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.30</version></dependency>
  </dependencies>
</project>
"""


def cache_folder() -> Path:
    """Returns the folder of this user's cache that holds the jars."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "segpipe", f"beam-{BEAM}-flink-{FLINK}")


def provide_jars(folder: Path, report: Callable[[str], None]) -> Path:
    """Returns the folder of the jars, which are fetched if it lacks one.

    Raises:
        UserError: Maven is missing or fails, or a jar is not the one that was tried.
    """
    expected = expected_hashes()
    jars = folder / "jars"
    if any(not (jars / name).exists() for name in expected):
        report(f"fetching {len(expected)} jars (160 MB) of Beam {BEAM} and Flink {FLINK} by Maven into {folder}")
        _fetch(folder)
    check_hashes(jars, expected)
    return jars


def expected_hashes() -> dict[str, str]:
    """Returns the SHA-256 of each jar by its name."""
    lines = _HASHES.read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def check_hashes(jars: Path, expected: dict[str, str]) -> None:
    """Compares a folder of jars with the hashes.

    Raises:
        UserError: a jar is missing, is unknown, or has another content.
    """
    there = {path.name for path in jars.glob("*.jar")}
    for name in sorted(there ^ set(expected)):
        what = "is missing" if name in expected else "is not one of the job server's jars"
        raise UserError(f"{jars / name} {what}; remove the folder {jars} and run the command again")
    for name, digest in expected.items():
        found = _hash(jars / name)
        if found != digest:
            raise UserError(
                f"{jars / name} is not the file that was tried (its SHA-256 is {found}); remove the folder {jars}, and "
                "check the Maven repository that it came from"
            )


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise UserError(
            f"the jars of Beam's job server are fetched by Maven, and no `mvn` is on the PATH; install it (Debian, "
            f"Ubuntu: `apt-get install maven`), or copy {folder} from a machine that has it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    pom = folder / "pom.xml"
    pom.write_text(_POM)
    options = ["-DincludeScope=runtime", f"-DoutputDirectory={folder / 'jars'}"]
    command = [maven, "-q", "-B", "--strict-checksums", "-f", str(pom), _PLUGIN, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("[ERROR]")]
        reason = lines[0].removeprefix("[ERROR] ") if lines else f"it ended with status {done.returncode}"
        raise UserError(f"Maven could not fetch the jars of Beam's job server: {reason}")
