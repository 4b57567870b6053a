"""What the client needs: little, and nothing of segpipe."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FORBIDDEN = (
    *("common", "components", "pipeline", "registry", "serving"),
    *("aiohttp", "pydantic", "tensorflow", "tensorflow_serving", "tfx"),
)
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


@pytest.mark.parametrize("missing", ["grpc", "google.protobuf", "google"])
@pytest.mark.parametrize("client", ["SegmentationClient", "AsyncSegmentationClient"])
def test_grpc_without_its_packages_is_refused_with_the_command_that_installs_them(client: str, missing: str) -> None:
    code = f"""
import sys
sys.modules[{missing!r}] = None  # As if it were not installed.
import segpipe_client
segpipe_client.{client}("http://localhost:1/v1/models/pets")
try:
    segpipe_client.{client}("grpc://localhost:1/v1/models/pets")
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "grpc:// and grpcs:// need grpcio and protobuf: pip install 'segpipe-client[grpc]'\n"
