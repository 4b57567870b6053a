"""The report's script, which shows its images large, and the policy that allows this script and nothing else."""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path

_SCRIPT = Path(__file__).parent / "templates" / "viewer.js"


@functools.cache
def viewer_script() -> str:
    """Returns the script as it is in the page."""
    return _SCRIPT.read_text(encoding="utf-8")


@functools.cache
def script_source() -> str:
    """Returns the script's source expression for `script-src` of a Content-Security-Policy: its hash."""
    digest = hashlib.sha256(viewer_script().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def page_policy() -> str:
    """Returns the policy that the page carries: its own script, styles and images, and no request."""
    return (
        f"default-src 'none'; script-src {script_source()}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
