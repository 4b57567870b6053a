"""`python -m serving`, as a program starts it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.support.serving import Address, wait_until


def test_it_answers_until_the_program_that_started_it_is_gone(exported: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen([sys.executable, "-m", "serving"], stdin=subprocess.PIPE, stderr=stream)
    assert process.stdin
    line = {"engine": "embedded", "settings": {"registry": str(exported), "grace_seconds": 1}}
    process.stdin.write(json.dumps(line).encode() + b"\n")
    process.stdin.flush()
    wait_until(lambda: b" listening " in log.read_bytes())
    found = re.search(r"http=\S+:(\d+) ", log.read_text())
    assert found
    address = Address()
    address.http = f"http://127.0.0.1:{found[1]}"
    wait_until(lambda: address.get("/readyz")[0] == 200)
    process.stdin.close()
    assert process.wait(20) == 0
