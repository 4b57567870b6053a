"""Connections to TensorFlow Serving's REST API: one attempt a call, no retries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .address import Address
from .answer import Answer, ModelBands, VersionState
from .documents import RestResponse, read_answer, read_bands, read_states, read_version, request_json
from .errors import DeadlineExceededError, ServerUnavailableError

if TYPE_CHECKING:
    import httpx

_CONNECT_SECONDS = 5.0


class RestTransport:
    """Pooled connections for threads."""

    def __init__(
        self, address: Address, headers: Mapping[str, str], ca_file: str | None, use_proxies: bool = True
    ) -> None:
        """Connects with the first call; `use_proxies` takes those that the environment names."""
        import httpx

        verify = _verification(ca_file)
        # A transport of one's own is one without the environment's proxies.
        direct = None if use_proxies else httpx.HTTPTransport(verify=address.is_secure and verify)
        self._address = address
        self._client = httpx.Client(headers=headers, verify=use_proxies and verify, transport=direct)

    def predict(self, image: bytes, seconds: float) -> Answer:
        """The model's answer for an encoded image.

        Raises:
            SegmentationError: of the kind that fits.
        """
        return read_answer(self.request("POST", self._address.predict_url, request_json(image), seconds))

    def states(self, seconds: float) -> list[VersionState]:
        """The states of the versions at the address.

        Raises:
            SegmentationError: of the kind that fits.
        """
        return read_states(self.request("GET", self._address.url, None, seconds))

    def version(self, seconds: float) -> int:
        """The version that the address means.

        Raises:
            SegmentationError: of the kind that fits.
        """
        return read_version(self.request("GET", self._address.metadata_url, None, seconds))

    def bands(self, seconds: float) -> ModelBands | None:
        """The bands that the model takes; `None` for 8-bit RGB.

        Raises:
            SegmentationError: of the kind that fits.
        """
        return read_bands(self.request("GET", self._address.metadata_url, None, seconds))

    def request(self, method: str, url: str, body: bytes | None, seconds: float) -> RestResponse:
        """Sends a request and returns the response, whatever its status.

        Raises:
            ServerUnavailableError: the server cannot be reached.
            DeadlineExceededError: the response was not complete in time.
        """
        ends = time.monotonic() + seconds
        parts = []
        with (
            _translated_errors(url),
            self._client.stream(method, url, content=body, timeout=_limits(seconds)) as response,
        ):
            for part in response.iter_bytes():
                parts.append(part)
                if time.monotonic() > ends:  # httpx limits each wait, not their sum.
                    raise DeadlineExceededError(f"the answer was not complete within {seconds:.3g} s")
        return RestResponse(response.status_code, response.headers, b"".join(parts))

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()


class AsyncRestTransport:
    """Pooled connections for one event loop."""

    def __init__(
        self, address: Address, headers: Mapping[str, str], ca_file: str | None, use_proxies: bool = True
    ) -> None:
        """As `RestTransport`."""
        import httpx

        verify = _verification(ca_file)
        direct = None if use_proxies else httpx.AsyncHTTPTransport(verify=address.is_secure and verify)
        self._address = address
        self._client = httpx.AsyncClient(headers=headers, verify=use_proxies and verify, transport=direct)

    async def predict(self, image: bytes, seconds: float) -> Answer:
        """As `RestTransport.predict`."""
        return read_answer(await self.request("POST", self._address.predict_url, request_json(image), seconds))

    async def states(self, seconds: float) -> list[VersionState]:
        """As `RestTransport.states`."""
        return read_states(await self.request("GET", self._address.url, None, seconds))

    async def version(self, seconds: float) -> int:
        """As `RestTransport.version`."""
        return read_version(await self.request("GET", self._address.metadata_url, None, seconds))

    async def bands(self, seconds: float) -> ModelBands | None:
        """As `RestTransport.bands`."""
        return read_bands(await self.request("GET", self._address.metadata_url, None, seconds))

    async def request(self, method: str, url: str, body: bytes | None, seconds: float) -> RestResponse:
        """As `RestTransport.request`."""
        call = self._client.request(method, url, content=body, timeout=_limits(seconds))
        with _translated_errors(url):
            try:
                response = await asyncio.wait_for(call, seconds)
            except asyncio.TimeoutError:
                raise DeadlineExceededError(f"no answer within {seconds:.3g} s") from None
        return RestResponse(response.status_code, response.headers, response.content)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()


@contextmanager
def _translated_errors(url: str) -> Iterator[None]:
    """Turns httpx's exceptions into the client's."""
    import httpx

    try:
        yield
    except (httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise ServerUnavailableError(f"cannot connect to {url} in time") from error
    except httpx.TimeoutException as error:
        raise DeadlineExceededError(f"no answer from {url} in time") from error
    except httpx.RemoteProtocolError as error:
        if "disconnected" in str(error) or "closed" in str(error):
            raise ServerUnavailableError(f"cannot reach {url}: {error}") from error
        raise ServerUnavailableError(
            f"what answers at {url} does not speak HTTP: it may be the port of gRPC"
        ) from error
    except httpx.TransportError as error:
        raise ServerUnavailableError(f"cannot reach {url}: {str(error) or type(error).__name__}") from error


def _limits(seconds: float) -> httpx.Timeout:
    import httpx

    return httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))


def _verification(ca_file: str | None) -> Any:
    """What httpx checks servers' certificates with: the system's authorities, or those of a file."""
    import ssl

    return ssl.create_default_context(cafile=ca_file) if ca_file else True
