"""What docs/serving.md shows of the Open Inference Protocol, run as it stands there, and other people's clients."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import Block, blocks
from tests.serving.documented import for_server
from tests.support.serving import CLASS_NAMES, MODEL, Hosted, classes_in, needs_curl, picture

HERE = Path(__file__).parent
THIS = "tests/serving/test_v2_commands.py"
SHOWN = [block for block in blocks() if block.mark == ("run", THIS)]
PYTHON = os.environ.get("SEGPIPE_TEST_V2_CLIENTS", "")
needs_clients = pytest.mark.skipif(
    not PYTHON, reason="SEGPIPE_TEST_V2_CLIENTS does not name a Python that has tritonclient[http,grpc] and kserve"
)


def shown(language: str) -> Block:
    [block] = [block for block in SHOWN if block.language == language]
    return block


@needs_curl
def test_the_commands_of_the_docs_get_masks(server: Hosted, tmp_path: Path) -> None:
    (tmp_path / "picture.jpg").write_bytes(picture(kind="JPEG"))
    commands = for_server(shown("sh").text, server).splitlines()
    assert len(commands) == 2
    for command in commands:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
        [mask] = [one for one in json.loads(done.stdout)["outputs"] if one["name"] == "mask_bytes"]
        assert mask["parameters"] == {"content_type": "base64"}
        assert classes_in(base64.b64decode(mask["data"][0])) == {1}


@needs_clients
def test_the_lines_of_the_docs_get_a_mask_with_tritonclient(server: Hosted, tmp_path: Path) -> None:
    (tmp_path / "picture.jpg").write_bytes(picture(kind="JPEG"))
    code = for_server(shown("python").text, server) + "\nimport sys\nsys.stdout.buffer.write(mask_png)\n"
    done = subprocess.run([PYTHON, "-c", code], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert classes_in(done.stdout) == {1}


def run_client(name: str, server: Hosted, folder: Path) -> dict[str, Any]:
    """What a script of `v2_clients` prints as JSON."""
    (folder / "picture.jpg").write_bytes(picture(kind="JPEG"))
    command = [PYTHON, str(HERE / "v2_clients" / name), server.http.removeprefix("http://"), server.grpc, MODEL]
    done = subprocess.run([*command, str(folder / "picture.jpg")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


@needs_clients
def test_tritonclient_gets_the_same_over_http_and_grpc_in_all_its_forms(server: Hosted, tmp_path: Path) -> None:
    found = run_client("call_by_tritonclient.py", server, tmp_path)
    assert set(found["answers"]) == {"http", "http json", "http gzip", "http all", "grpc", "grpc all"}
    for form, answer in found["answers"].items():
        assert classes_in(base64.b64decode(answer["mask_bytes"])) == {1}, form
        assert answer["class_fractions"] == [[0, 1, 0, 0]], form
        assert answer["version"] == "1", form
    assert found["names"] == list(CLASS_NAMES)
    for protocol in ("http", "grpc"):
        assert found["live"][protocol] == [True, True, True, True, False]
        assert found["metadata"][protocol]["name"] == MODEL
        assert [one["name"] for one in found["metadata"][protocol]["inputs"]] == ["image"]
        assert "picture refused" in found["refused"][protocol]


@needs_clients
def test_kserves_client_gets_the_same_over_rest_and_grpc(server: Hosted, tmp_path: Path) -> None:
    found = run_client("call_by_kserve.py", server, tmp_path)
    for form, answer in found["answers"].items():
        assert classes_in(base64.b64decode(answer["mask_bytes"])) == {1}, form
    assert found["ready"] == {"rest": [True, True, True], "grpc": [True, True, True]}
