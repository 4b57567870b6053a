"""Calls of a protocol: what is sent, and how the response is read. The transports send them, and know no protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from .answer import Answer, ModelBands, VersionState
from .documents import RestResponse

Content = TypeVar("Content")


@dataclass(frozen=True)
class RestCall(Generic[Content]):
    """Request over HTTP."""

    method: str
    url: str
    read: Callable[[RestResponse], Content]
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class GrpcCall(Generic[Content]):
    """Request over gRPC; `expected` names the response for the error if it is another message."""

    method: str
    request: bytes
    read: Callable[[bytes], Content]
    expected: str


class RestCalls(Protocol):
    """What a REST API can be asked."""

    def predict(self, image: bytes) -> RestCall[Answer]:
        """The model's answer for an encoded image."""
        ...

    def states(self) -> RestCall[list[VersionState]]:
        """The states of the versions at the address."""
        ...

    def version(self) -> RestCall[int]:
        """The version that the address means."""
        ...

    def bands(self) -> RestCall[ModelBands | None]:
        """The bands that the model takes; `None` for 8-bit RGB."""
        ...


class GrpcCalls(Protocol):
    """What a gRPC API can be asked, as `RestCalls`."""

    def predict(self, image: bytes) -> GrpcCall[Answer]:
        """The model's answer for an encoded image."""
        ...

    def states(self) -> GrpcCall[list[VersionState]]:
        """The states of the versions at the address."""
        ...

    def version(self) -> GrpcCall[int]:
        """The version that the address means."""
        ...

    def bands(self) -> GrpcCall[ModelBands | None]:
        """The bands that the model takes; `None` for 8-bit RGB."""
        ...
