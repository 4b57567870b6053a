"""gRPC to TensorFlow Serving's PredictionService."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .address import Address, decoded
from .answer import Answer
from .errors import (
    DeadlineExceededError,
    PictureRefusedError,
    SegmentationError,
    ServerUnavailableError,
    not_found,
    sentence,
)
from .messages import METHOD, read_response, request_bytes

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


class GrpcTransport:
    """A channel for threads."""

    def __init__(self, address: Address, headers: Mapping[str, str], ca_file: str | None) -> None:
        import grpc

        self._address = address
        self._metadata = _metadata(headers)
        if address.is_secure:
            self._channel = grpc.secure_channel(address.host, _credentials(ca_file), _OPTIONS)
        else:
            self._channel = grpc.insecure_channel(address.host, _OPTIONS)
        self._call = self._channel.unary_unary(METHOD)

    def send(self, picture: bytes, seconds: float) -> Answer:
        """One attempt.

        Raises:
            SegmentationError: of the kind that fits.
        """
        import grpc

        try:
            response = self._call(_request(self._address, picture), timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _told(error, self._address) from error
        return _answer(response)

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()


class AsyncGrpcTransport:
    """A channel for the event loop that it is made on."""

    def __init__(self, address: Address, headers: Mapping[str, str], ca_file: str | None) -> None:
        import grpc

        self._address = address
        self._metadata = _metadata(headers)
        if address.is_secure:
            self._channel = grpc.aio.secure_channel(address.host, _credentials(ca_file), _OPTIONS)
        else:
            self._channel = grpc.aio.insecure_channel(address.host, _OPTIONS)
        self._call = self._channel.unary_unary(METHOD)

    async def send(self, picture: bytes, seconds: float) -> Answer:
        """One attempt.

        Raises:
            SegmentationError: of the kind that fits.
        """
        import grpc

        try:
            response = await self._call(_request(self._address, picture), timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _told(error, self._address) from error
        return _answer(response)

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()


def _request(address: Address, picture: bytes) -> bytes:
    label = None if address.label is None else decoded(address.label)
    return request_bytes(picture, decoded(address.model), address.version, label)


def _answer(response: bytes) -> Answer:
    try:
        return read_response(response)
    except ValueError as error:
        raise SegmentationError(f"the server's answer is not that of a segmentation model ({error})") from None


def _told(error: Any, address: Address) -> SegmentationError:
    """Our exception for gRPC's."""
    import grpc

    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.INVALID_ARGUMENT or (
        code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in details
    ):
        return PictureRefusedError(sentence(details))
    if code is grpc.StatusCode.NOT_FOUND:
        return SegmentationError(not_found(details))
    # A server that stops cancels what outlasts its grace period.
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED):
        return ServerUnavailableError(_why_not_there(details or code.name, address))
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceededError(details)
    return SegmentationError(f"{details} ({code.name})")


def _why_not_there(details: str, address: Address) -> str:
    """In short, where gRPC tells of the connection and not of the request."""
    if "http1.x server" in details:
        return f"what answers at {address.host} does not speak gRPC: it may be the port of REST"
    if "failed to connect" in details.lower():
        return f"cannot reach {address.scheme}://{address.host}: {details.rpartition(': ')[2]}"
    return details


def _metadata(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in headers.items())


def _credentials(ca_file: str | None) -> grpc.ChannelCredentials:
    import grpc

    return grpc.ssl_channel_credentials(Path(ca_file).read_bytes() if ca_file else None)
