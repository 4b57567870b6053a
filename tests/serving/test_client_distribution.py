"""The distribution `segpipe-client`: built, installed into an empty environment, and used against a server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.dag.import_closure import PACKAGES
from tests.support.serving import CLASS_NAMES, MODEL, Served, picture

ROOT = Path(__file__).resolve().parents[2]
BUILD = "import setuptools.build_meta as backend; print(backend.build_{kind}({folder!r}))"
PREDICT = """
import sys
from segpipe_client import SegmentationClient
with SegmentationClient(sys.argv[1]) as client:
    result = client.predict(sys.argv[2])
    print(result.mask_HW.shape, result.fractions, client.model_version())
"""

pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=cwd, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the client's folder and this one's ignored names."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copy(ROOT / ".gitignore", folder)
    ignored = shutil.ignore_patterns("__pycache__", "build", "dist", "*.egg-info")
    shutil.copytree(ROOT / "segpipe_client", folder / "segpipe_client", ignore=ignored)
    run("git", "init", "-q", cwd=folder)
    run("git", "add", ".", cwd=folder)
    run("git", "-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "-q", "-m", "All", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def sdist(checkout: Path) -> Path:
    dist = checkout / "dist"
    run(sys.executable, "-c", BUILD.format(kind="sdist", folder=str(dist)), cwd=checkout / "segpipe_client")
    return next(dist.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is made from the source distribution alone."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder)
    run(sys.executable, "-c", BUILD.format(kind="wheel", folder=str(folder)), cwd=next(folder.iterdir()))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel of the documented command and what it requires, and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    pip = folder / "venv" / "bin" / "pip"
    probe = [pip, "download", "-q", "--no-deps", "-d", folder / "probe", "httpx"]
    done = subprocess.run([*map(str, probe)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no package index can be reached: {done.stderr.strip().splitlines()[-1]}")
    run(pip, "wheel", "-q", "--no-deps", "--wheel-dir", folder / "dist", "./segpipe_client", cwd=checkout)
    run(pip, "install", "-q", next((folder / "dist").glob("*.whl")), cwd=folder)
    return folder


@pytest.fixture(scope="module")
def process(exported: Path) -> Iterator[Served]:
    with Served(str(exported)) as served:
        yield served


def test_building_leaves_nothing_that_git_sees(checkout: Path, sdist: Path) -> None:
    run(
        sys.executable, "-c", BUILD.format(kind="wheel", folder=str(checkout / "dist")), cwd=checkout / "segpipe_client"
    )
    assert run("git", "status", "--porcelain", cwd=checkout) == ""


def test_the_wheel_has_the_one_package_and_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    package = {name for name in names if ".dist-info/" not in name}
    sources = {f"segpipe_client/{path.name}" for path in (ROOT / "segpipe_client").glob("*.py")}
    assert package == sources | {"segpipe_client/py.typed"}
    assert any(name.endswith("/LICENSE") for name in names - package)
    assert "License-Expression: Apache-2.0\n" in metadata
    assert "# segpipe-client\n" in metadata


def test_it_predicts_over_rest_and_over_grpc_with_the_extra(
    environment: Path, checkout: Path, process: Served, tmp_path: Path
) -> None:
    (tmp_path / "image.png").write_bytes(picture(40, 56))
    python = environment / "venv" / "bin" / "python"
    script = (python, "-I", "-c", PREDICT)
    expected = f"(40, 56) { ({name: float(index == 1) for index, name in enumerate(CLASS_NAMES)}) } 1\n"
    assert run(*script, f"{process.http}/v1/models/{MODEL}", tmp_path / "image.png", cwd=tmp_path) == expected

    address = f"grpc://{process.grpc}/v1/models/{MODEL}"
    command = [*map(str, script), address, str(tmp_path / "image.png")]
    without = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert without.stderr.splitlines()[-1] == (
        "ImportError: grpc:// and grpcs:// need grpcio and protobuf: pip install 'segpipe-client[grpc]'"
    )
    run(environment / "venv" / "bin" / "pip", "install", "-q", "./segpipe_client[grpc]", cwd=checkout)
    assert run(*script, address, tmp_path / "image.png", cwd=tmp_path) == expected


def test_nothing_of_segpipe_itself_comes_along(environment: Path) -> None:
    others = sorted({*PACKAGES, "tensorflow"} - {"segpipe_client"})
    code = f"from importlib.util import find_spec; print([name for name in {others} if find_spec(name)])"
    assert run(environment / "venv" / "bin" / "python", "-I", "-c", code, cwd=environment) == "[]\n"
