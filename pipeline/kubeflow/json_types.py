"""Type of JSON objects, as in specifications, manifests and API responses."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
"""JSON object."""
