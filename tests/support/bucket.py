"""A bucket: a file system that Beam knows under a scheme of its own and that keeps its objects in a local folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

SCHEME = "bucket"


class BucketFileSystem(LocalFileSystem):
    """`bucket://a/b` is the local file /a/b."""

    @classmethod
    def scheme(cls) -> str:
        return SCHEME

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        for file in super()._list(_local(dir_or_prefix)):
            yield FileMetadata(f"{SCHEME}:/{file.path}", file.size_in_bytes, file.last_updated_in_seconds)

    def exists(self, path: str) -> bool:
        return super().exists(_local(path))

    def metadata(self, path: str) -> FileMetadata:
        found = super().metadata(_local(path))
        return FileMetadata(path, found.size_in_bytes, found.last_updated_in_seconds)

    def create(self, path: str, *arguments: Any, **options: Any) -> Any:
        return super().create(_local(path), *arguments, **options)

    def delete(self, paths: list[str]) -> None:
        super().delete([_local(path) for path in paths])

    def _path_open(self, path: str, *arguments: Any, **options: Any) -> Any:
        return super()._path_open(_local(path), *arguments, **options)

    def has_dirs(self) -> bool:
        return False


def _local(path: str) -> str:
    return path.removeprefix(f"{SCHEME}:/")
