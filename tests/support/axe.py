"""axe-core, which checks a page against the guidelines of accessibility; it is not part of the project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.support.browser import Browser

_GIVEN = os.environ.get("SEGPIPE_TEST_AXE")
AXE = Path(_GIVEN) if _GIVEN else None
"""Its `axe.min.js`, as `npm pack axe-core` has it."""


def violations(browser: Browser) -> list[Any]:
    """What axe finds wrong with the page: the rule, and the elements."""
    assert AXE is not None
    browser.send("Runtime.evaluate", expression=AXE.read_text("utf-8"))
    found = "axe.run().then(r => r.violations.map(v => [v.id, ...v.nodes.map(n => n.html.slice(0, 200))]))"
    return browser.run(found)  # type: ignore[no-any-return]
