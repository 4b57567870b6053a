"""The packages of the extra `segpipe[geo]`, imported when a scene needs them."""

from __future__ import annotations

import importlib
from typing import Any

from common.errors import UserError

CACHE_MEGABYTES = 128
"""Blocks that GDAL keeps decoded; a twentieth of the machine's memory by default."""


def geo_package(name: str, purpose: str) -> Any:
    """Imports `rasterio` or `pyogrio`, or one of their modules.

    Raises:
        UserError: it is not installed; `purpose` begins the sentence.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise UserError(f"{purpose} needs the package {package}; install it with `pip install segpipe[geo]`") from error
