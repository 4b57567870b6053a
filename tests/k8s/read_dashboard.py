"""Reads a dashboard by Grafana's Foundation SDK, writes it again, and names the keys that the SDK does not know.

Run by test_dashboards.py with the Python of SEGPIPE_TEST_GRAFANA: DASHBOARD.json.  The SDK's models are generated from
Grafana's schemas, panels and queries included; what these do not have is lost on the way.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def lost(given: Any, kept: Any, path: str = "") -> Iterator[str]:
    """Yields the path of each value that is missing or different in `kept`."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            yield from lost(value, kept[key], f"{path}.{key}") if key in kept else [f"{path}.{key}"]
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for index, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from lost(one, other, f"{path}[{index}]")
    elif given != kept:
        yield f"{path}: {given!r} → {kept!r}"


def main(file: str) -> int:
    """Prints what is lost; the exit status is 1 if anything is."""
    register_default_plugins()
    given = json.loads(Path(file).read_text())
    kept = json.loads(json.dumps(Dashboard.from_json(given), cls=JSONEncoder))
    missing = list(lost(given, kept))
    print("\n".join(missing))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
