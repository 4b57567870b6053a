"""The image of the steps without Docker: the Debian 13 root of `scripts/test-modern`, and this repository in it.

What differs from `make image`: the packages are in /kept/venv, with those that only tests need; this repository lies in
/src and not among the packages, and its commands are written anew; nothing was stripped.  Debian's release, Python, the
packages' versions, user, environment and entrypoint are the same.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path, PurePosixPath

from tests.support.cluster import REPOSITORY, SCRIPT, Cluster

NAME = "docker.io/library/segpipe:1"  # What Kubernetes makes of `segpipe:1`.
ROOT = Path(os.environ.get("SEGPIPE_STEP_ROOT") or REPOSITORY / "build" / "trixie")
_VENV = "kept/venv"
_PACKAGES = ("common", "components", "pipeline", "registry", "segpipe_client", "serving", "schemas")
_SOURCES = (*_PACKAGES, "README.md", "setup.py")
_ONLY_FOR_TESTS = ("clang", "kubernetes_validate", "mypy", "mypyc", "ruff")
_SKIPPED = {
    *("kept/uv-cache", "src", "proc", "sys", "dev", "tmp", "run", "root", "boot", "media", "mnt", "srv"),
    *("var/cache", "var/lib/apt", "var/log", "usr/share/doc", "usr/share/locale", "usr/lib/gcc"),
    *(f"{_VENV}/lib/python3.13/site-packages/{name}" for name in _ONLY_FOR_TESTS),
}
_SETTINGS = {  # As the Dockerfile's last stage.
    "Env": [
        f"PATH=/{_VENV}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME=/tmp",
        "LANG=C.UTF-8",
        "PYTHONDONTWRITEBYTECODE=1",
        "PYTHONUNBUFFERED=1",
        "TF_CPP_MIN_LOG_LEVEL=1",
    ],
    "User": "10001:10001",
    "WorkingDir": "/tmp",
    "Cmd": ["segpipe", "--help"],
}


def why_not() -> str:
    """Why there can be no such image here; empty if there can."""
    if not (ROOT / _VENV / "bin" / "segpipe-step").exists():
        return "there is no Debian 13 root with segpipe's packages; `scripts/test-modern` makes one in build/trixie"
    return ""


def load_step_image(cluster: Cluster) -> None:
    """Loads the image into the cluster, unless it is there."""
    sys.path.insert(0, str(SCRIPT.parent))
    from single_node.images import write_image

    if NAME in cluster.images():
        return
    files = {f"src/{path.relative_to(REPOSITORY)}": path for name in _SOURCES for path in _files(REPOSITORY / name)}
    (REPOSITORY / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=REPOSITORY / "build") as folder:
        files |= _commands(Path(folder))
        archive = Path(folder) / "image.tar"
        write_image(archive, NAME, root=ROOT, files=files, skip=_is_skipped, settings=_SETTINGS)
        cluster.run("load", archive)


def _is_skipped(path: str) -> bool:
    """What lies in a skipped folder, and commands of ours; the folder itself is there, for what is mounted."""
    name = PurePosixPath(path)
    return str(name.parent) in _SKIPPED or (str(name.parent) == f"{_VENV}/bin" and name.name.startswith("segpipe"))


def _commands(folder: Path) -> dict[str, Path]:
    """The commands that setup.py names, which may be others than when the root was made: path in the image → file."""
    found = {}
    for name, module, function in re.findall(
        r'"(segpipe[\w-]*) = ([\w.]+):(\w+)"', (REPOSITORY / "setup.py").read_text()
    ):
        file = found[f"{_VENV}/bin/{name}"] = folder / name
        file.write_text(
            f"#!/{_VENV}/bin/python\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"
        )
    return found


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(each for each in path.rglob("*") if each.is_file() and "__pycache__" not in each.parts)
