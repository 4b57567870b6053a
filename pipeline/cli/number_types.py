"""Types of options for numbers."""

from __future__ import annotations

import math
from typing import Any

import click


class FiniteRange(click.FloatRange):
    """A number in a range, without NaN and infinity.

    No comparison with NaN is true, so `--at-least nan` would be in every range, and every check against it would pass.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Returns the number."""
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return found


PORT = click.IntRange(1, 65535)
ANY_PORT = click.IntRange(0, 65535)
"""A port, or 0 for any free one."""
