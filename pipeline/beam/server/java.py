"""The Java of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from common.errors import UserError

VERSIONS = (11, 17)
"""Versions that Flink 1.19 supports; 17 was tried."""

_INSTALL = "install it (Debian, Ubuntu: `apt-get install openjdk-17-jre-headless`), or name another by JAVA_HOME"
_PACKAGES = (
    "java.lang", "java.lang.invoke", "java.lang.reflect", "java.net", "java.io", "java.nio", "java.text", "java.time",
    "java.util", "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks", "sun.nio.ch",
)  # fmt: skip
OPENS = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _PACKAGES]
"""Arguments that let Flink look into Java's own classes, as the configuration in Flink's distribution does."""


def find_java() -> str:
    """Returns the path of Java: that in JAVA_HOME, else that on the PATH.

    Raises:
        UserError: there is none, or it has another version.
    """
    home = os.environ.get("JAVA_HOME")
    path = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if path is None or not os.access(path, os.X_OK):
        raise UserError(f"Beam's job server needs Java 11 or 17, and {path or 'none is on the PATH'}; {_INSTALL}")
    version = _version(path)
    if version not in VERSIONS:
        raise UserError(
            f"Flink 1.19 needs Java 11 or 17, but {path} is {version or 'of an unknown version'}; {_INSTALL}"
        )
    return path


def _version(path: str) -> int | None:
    told = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(match[1]) if match else None
