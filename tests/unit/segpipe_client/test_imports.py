"""What the client needs: little, and nothing of this project."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

FORBIDDEN = ("tensorflow", "tensorflow_serving", "tfx", "pipeline", "components", "registry", "pydantic", "aiohttp")
LAZY = ("grpc", "httpx", "google.protobuf")
CODE = """
import sys
from {package} import SegmentationClient
loaded = set(sys.modules)
SegmentationClient("{scheme}://localhost:1/v1/models/pets").close()
print(*sorted(name for name in {names} if name in loaded))
print(*sorted(name for name in {names} if name in sys.modules))
"""


def loaded(folder: Path, package: str, scheme: str) -> list[set[str]]:
    """What of FORBIDDEN and LAZY is loaded after the import, and after a client is made."""
    code = CODE.format(package=package, scheme=scheme, names=(*FORBIDDEN, *LAZY))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=True)
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_the_import_brings_no_protocol_and_a_client_only_its_own() -> None:
    assert loaded(Path.cwd(), "segpipe_client", "http") == [set(), {"httpx"}]
    assert loaded(Path.cwd(), "segpipe_client", "grpc")[1] <= {"grpc"}


def test_copied_into_an_app_under_another_name_it_works(tmp_path: Path) -> None:
    shutil.copytree("segpipe_client", tmp_path / "app" / "segments", ignore=shutil.ignore_patterns("__pycache__"))
    assert loaded(tmp_path, "app.segments", "http") == [set(), {"httpx"}]
