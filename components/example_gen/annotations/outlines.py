"""Points and outlines that annotation formats write as numbers."""

from __future__ import annotations

import math

import numpy as np

from components.example_gen.annotations.document import Points, bad_annotation
from components.example_gen.annotations.json_file import is_number

_ELLIPSE_CORNERS = 360


def read_points(name: str, points: object, otherwise: str) -> Points:
    """The points [N, 2] of a list of pairs in JSON, called `name` in messages.

    Raises `RejectionError` with `otherwise` if it is something else.
    """
    pairs = isinstance(points, list) and all(
        isinstance(point, list) and len(point) == 2 and all(map(is_number, point)) for point in points
    )
    if not pairs:
        raise bad_annotation(name, otherwise)
    try:
        return np.array(points, np.float64).reshape(-1, 2)
    except OverflowError as error:
        raise bad_annotation(name, "has a coordinate that is not a finite number") from error


def ellipse(across: float, down: float) -> Points:
    """The outline of an ellipse about the origin, of two half axes."""
    angles_N = np.arange(_ELLIPSE_CORNERS) * 2 * np.pi / _ELLIPSE_CORNERS
    return np.stack([across * np.cos(angles_N), down * np.sin(angles_N)], axis=1)


def turned(points_N2: Points, degrees: float) -> Points:
    """Returns the points turned clockwise about the origin."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    found: Points = points_N2 @ np.array([[cosine, sine], [-sine, cosine]])
    return found
