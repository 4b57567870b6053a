"""gRPC channels to a server: one attempt a call, no retries."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .address import Address
from .answer import Answer, ModelBands, VersionState
from .calls import Content, GrpcCall, GrpcCalls
from .errors import (
    DeadlineExceededError,
    PictureRefusedError,
    SegmentationError,
    ServerUnavailableError,
    extract_error_message,
    not_found,
    with_code,
)
from .v1_calls import V1GrpcCalls
from .v2_calls import V2GrpcCalls

if TYPE_CHECKING:
    import grpc

_TOO_LARGE = "larger than max"  # gRPC's words for a message over its limit, on either side
_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A server that comes back is to be found at the pace of our retries.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # All addresses behind a name share the requests; with one address it changes nothing.
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
]


def require_grpc() -> None:
    """Checks that the packages of the extra `grpc` are there, and loads none of them.

    Raises:
        ImportError: one of them is not.
    """
    try:
        is_there = all(importlib.util.find_spec(name) for name in ("grpc", "google.protobuf"))
    except ModuleNotFoundError:  # No package `google` at all.
        is_there = False
    if not is_there:
        raise ImportError("grpc:// and grpcs:// need grpcio and protobuf: pip install 'segpipe-client[grpc]'")


class GrpcTransport:
    """A channel for threads."""

    def __init__(
        self, address: Address, headers: Mapping[str, str], ca_file: str | None, use_proxies: bool = True
    ) -> None:
        """Connects with the first call; `use_proxies` takes those that the environment names."""
        import grpc

        self._address = address
        self._calls = _calls(address)
        self._metadata = _metadata(headers)
        options = _options(use_proxies)
        if address.is_secure:
            self._channel = grpc.secure_channel(address.host, _credentials(ca_file), options)
        else:
            self._channel = grpc.insecure_channel(address.host, options)

    def predict(self, image: bytes, seconds: float) -> Answer:
        """The model's answer for an encoded image.

        Raises:
            SegmentationError: of the kind that fits.
        """
        return self._send(self._calls.predict(image), seconds)

    def states(self, seconds: float) -> list[VersionState]:
        """The states of the versions at the address.

        Raises:
            SegmentationError: of the kind that fits.
        """
        return self._send(self._calls.states(), seconds)

    def version(self, seconds: float) -> int:
        """The version that the address means.

        Raises:
            SegmentationError: of the kind that fits.
        """
        return self._send(self._calls.version(), seconds)

    def bands(self, seconds: float) -> ModelBands | None:
        """The bands that the model takes; `None` for 8-bit RGB.

        Raises:
            SegmentationError: of the kind that fits.
        """
        return self._send(self._calls.bands(), seconds)

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

    def _send(self, call: GrpcCall[Content], seconds: float) -> Content:
        import grpc

        try:
            method = self._channel.unary_unary(call.method)
            response = bytes(method(call.request, timeout=seconds, metadata=self._metadata))
        except grpc.RpcError as error:
            raise _translated(error, self._address) from error
        return _read(call, response)


class AsyncGrpcTransport:
    """A channel for the event loop that it is made on."""

    def __init__(
        self, address: Address, headers: Mapping[str, str], ca_file: str | None, use_proxies: bool = True
    ) -> None:
        """As `GrpcTransport`."""
        import grpc

        self._address = address
        self._calls = _calls(address)
        self._metadata = _metadata(headers)
        options = _options(use_proxies)
        if address.is_secure:
            self._channel = grpc.aio.secure_channel(address.host, _credentials(ca_file), options)
        else:
            self._channel = grpc.aio.insecure_channel(address.host, options)

    async def predict(self, image: bytes, seconds: float) -> Answer:
        """As `GrpcTransport.predict`."""
        return await self._send(self._calls.predict(image), seconds)

    async def states(self, seconds: float) -> list[VersionState]:
        """As `GrpcTransport.states`."""
        return await self._send(self._calls.states(), seconds)

    async def version(self, seconds: float) -> int:
        """As `GrpcTransport.version`."""
        return await self._send(self._calls.version(), seconds)

    async def bands(self, seconds: float) -> ModelBands | None:
        """As `GrpcTransport.bands`."""
        return await self._send(self._calls.bands(), seconds)

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()

    async def _send(self, call: GrpcCall[Content], seconds: float) -> Content:
        import grpc

        try:
            method = self._channel.unary_unary(call.method)
            response = bytes(await method(call.request, timeout=seconds, metadata=self._metadata))
        except grpc.RpcError as error:
            raise _translated(error, self._address) from error
        return _read(call, response)


def _calls(address: Address) -> GrpcCalls:
    return V2GrpcCalls(address) if address.is_v2 else V1GrpcCalls(address)


def _read(call: GrpcCall[Content], response: bytes) -> Content:
    try:
        return call.read(response)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise SegmentationError(f"the server's answer is not {call.expected} ({error})") from None


def _translated(error: Any, address: Address) -> SegmentationError:
    """The client's exception for gRPC's."""
    return with_code(_error_of_its_kind(error.code(), error.details() or "", address), error.code().name)


def _error_of_its_kind(code: grpc.StatusCode, details: str, address: Address) -> SegmentationError:
    import grpc

    if code is grpc.StatusCode.INVALID_ARGUMENT or (
        code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in details
    ):
        return PictureRefusedError(extract_error_message(details))
    if code is grpc.StatusCode.NOT_FOUND:
        return SegmentationError(not_found(details))
    # A server that stops cancels what outlasts its grace period.
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED):
        return ServerUnavailableError(_connection_fault(details or code.name, address))
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceededError(details)
    return SegmentationError(f"{details} ({code.name})")


def _connection_fault(details: str, address: Address) -> str:
    """The details in short, where gRPC tells of the connection and not of the request."""
    if "http1.x server" in details:
        return f"what answers at {address.host} does not speak gRPC: it may be the port of REST"
    if "failed to connect" in details.lower():
        return f"cannot reach {address.scheme}://{address.host}: {details.rpartition(': ')[2]}"
    return details


def _options(use_proxies: bool) -> list[tuple[str, Any]]:
    return [*_OPTIONS, ("grpc.enable_http_proxy", int(use_proxies))]


def _metadata(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in headers.items())


def _credentials(ca_file: str | None) -> grpc.ChannelCredentials:
    import grpc

    return grpc.ssl_channel_credentials(Path(ca_file).read_bytes() if ca_file else None)
