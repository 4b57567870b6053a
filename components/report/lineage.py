"""What a report was made from, as a file beside it, so that a run is found again without a metadata store."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from common.settings import Settings

LINEAGE_FILE = "lineage.json"


class Lineage(Settings):
    """The configuration of a run, and where the artifacts lie that its report read."""

    config: dict[str, Any] = Field(description="The whole configuration.")
    artifacts: dict[str, str] = Field(
        description="Key of the report's input (`component_keys`) → its folder, relative to the folder of this file; "
        "it may belong to an earlier run, if a step's result was cached."
    )


def lineage(config: Mapping[str, Any], artifacts: Mapping[str, str], folder: str) -> Lineage:
    """Returns the lineage of a run.

    Args:
        config: The whole configuration.
        artifacts: Key → path or URI.
        folder: Path or URI where the file will lie, in the same file system.
    """
    relative = {key: posixpath.relpath(uri, folder) for key, uri in artifacts.items()}
    return Lineage(config=dict(config), artifacts=relative)


def resolved(folder: str, relative: str) -> str:
    """Returns the path or URI of an artifact, by the folder of the lineage's file."""
    scheme, mark, path = folder.rpartition("://")
    return scheme + mark + posixpath.normpath(posixpath.join(path, relative))
