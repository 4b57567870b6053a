"""What README shows to apps, run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.serving import CLASS_NAMES, MODEL, Hosted, picture

ROOT = Path(__file__).resolve().parents[2]


def test_the_four_ways_of_the_client_run_as_they_are_shown_and_print_the_same(server: Hosted, tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().partition("## For apps")[2].partition("\n## ")[0]
    [code] = re.findall(r"```python\n(.*?)```", section, re.S)
    here = {
        "build/sample-data/images/scene-001.jpg": str(tmp_path / "scene.png"),
        "http://localhost:8501/v1/models/sample": f"{server.http}/v1/models/{MODEL}",
        "grpc://localhost:8500/v1/models/sample": f"grpc://{server.grpc}/v1/models/{MODEL}",
    }
    for shown, ours in here.items():
        assert code.count(shown) == 1
        code = code.replace(shown, ours)
    (tmp_path / "scene.png").write_bytes(picture(40, 56))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    fractions = {name: float(index == 1) for index, name in enumerate(CLASS_NAMES)}
    assert done.stdout.splitlines() == [f"{fractions} (40, 56)"] * 4
