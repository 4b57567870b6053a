"""ML Metadata of a workspace, opened for reading alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Imported when a database is read.
    from ml_metadata.metadata_store import MetadataStore

METADATA = "metadata.sqlite"
ARTIFACTS = "artifacts"


def open_metadata(workspace: Path) -> MetadataStore:
    """Opens the database of a workspace, which exists; raises errors of ML Metadata's own if it cannot be read."""
    from ml_metadata.metadata_store import MetadataStore
    from ml_metadata.proto import metadata_store_pb2

    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(workspace / METADATA)
    connection.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READONLY
    return MetadataStore(connection)


def artifact_folder(uri: str) -> str:
    """Returns an artifact's folder relative to the workspace, also after the workspace was moved.

    An artifact is at `<step>/<output>/<execution>` in the folder of artifacts.
    """
    return "/".join((ARTIFACTS, *uri.rstrip("/").rsplit("/", 3)[-3:]))
