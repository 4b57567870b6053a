"""The jars of Beam's job server and of an engine, fetched by Maven and compared with the hashes in this repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError

BEAM = "2.62.0"
"""The newest runner for Flink 1.19 that was tried; it takes the jobs of the Python SDKs of both sets."""

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>segpipe</groupId><artifactId>beam-server</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""
_DEPENDENCY = "    <dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"


@dataclass(frozen=True)
class JarSet:
    """The jars of Beam's job server and of one version of an engine.

    Attributes:
        engine: Name of the engine.
        version: Version of the engine.
        megabytes: What is fetched.
        dependencies: Group, artifact and version of what Maven resolves.
    """

    engine: str
    version: str
    megabytes: int
    dependencies: tuple[tuple[str, str, str], ...]

    def cache_folder(self) -> Path:
        """Returns the folder of this user's cache that holds the jars."""
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(cache, "segpipe", f"beam-{BEAM}-{self.engine}-{self.version}")

    def expected_hashes(self) -> dict[str, str]:
        """Returns the SHA-256 of each jar by its name."""
        lines = Path(__file__).with_name(f"{self.engine}-jars.sha256").read_text().splitlines()
        return {name: digest for digest, name in (line.split() for line in lines)}

    def pom(self) -> str:
        """Returns the project that Maven resolves."""
        return _POM.format(dependencies="\n".join(_DEPENDENCY.format(*parts) for parts in self.dependencies))


FLINK_JARS = JarSet(
    "flink",
    "1.19",
    160,
    (("org.apache.beam", "beam-runners-flink-1.19", BEAM), ("org.slf4j", "slf4j-simple", "1.7.30")),
)
SPARK_JARS = JarSet(
    "spark",
    "3.5",
    271,
    (
        ("org.apache.beam", "beam-runners-spark-3", BEAM),
        ("org.apache.spark", "spark-core_2.12", "3.5.0"),
        ("org.apache.spark", "spark-streaming_2.12", "3.5.0"),
        ("org.slf4j", "slf4j-api", "2.0.7"),  # Spark's; Beam's own is older, and Spark does not start with it.
    ),
)


def provide_jars(jar_set: JarSet, folder: Path, report: Callable[[str], None]) -> Path:
    """Returns the folder of the jars, which are fetched if it lacks one.

    Raises:
        UserError: Maven is missing or fails, or a jar is not the one that was tried.
    """
    expected = jar_set.expected_hashes()
    jars = folder / "jars"
    if any(not (jars / name).exists() for name in expected):
        what = f"{len(expected)} jars ({jar_set.megabytes} MB) of Beam {BEAM} and {jar_set.engine} {jar_set.version}"
        report(f"fetching {what} by Maven into {folder}")
        _fetch(jar_set, folder)
    check_hashes(jars, expected)
    return jars


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


def _fetch(jar_set: JarSet, folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise UserError(
            f"the jars of Beam's job server are fetched by Maven, and no `mvn` is on the PATH; install it (Debian, "
            f"Ubuntu: `apt-get install maven`), or copy {folder} from a machine that has it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    pom = folder / "pom.xml"
    pom.write_text(jar_set.pom())
    options = ["-DincludeScope=runtime", f"-DoutputDirectory={folder / 'jars'}"]
    command = [maven, "-q", "-B", "--strict-checksums", "-f", str(pom), _PLUGIN, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("[ERROR]")]
        reason = lines[0].removeprefix("[ERROR] ") if lines else f"it ended with status {done.returncode}"
        raise UserError(f"Maven could not fetch the jars of Beam's job server: {reason}")
