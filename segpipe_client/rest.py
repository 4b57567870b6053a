"""HTTP connections to a server: one attempt a call, no retries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .address import Address
from .answer import Answer, ModelBands, VersionState
from .calls import Content, RestCall, RestCalls
from .documents import RestResponse
from .errors import DeadlineExceededError, ServerUnavailableError
from .v1_calls import V1RestCalls
from .v2_calls import V2RestCalls

if TYPE_CHECKING:
    import httpx

_CONNECT_SECONDS = 5.0
_HEADERS = {"Accept-Encoding": "identity"}
"""Masks are compressed already: a server that compressed its answers again would only take longer."""


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
        self._calls = _calls(address)
        self._client = httpx.Client(headers={**_HEADERS, **headers}, verify=use_proxies and verify, transport=direct)

    def predict(self, image: bytes, seconds: float) -> Answer:
        """The model's answer for an encoded image.

        Raises:
            SegmentationError: of the kind that fits.
        """
        return self.send(self._calls.predict(image), seconds)

    def states(self, seconds: float) -> list[VersionState]:
        """The states of the versions at the address.

        Raises:
            SegmentationError: of the kind that fits.
        """
        return self.send(self._calls.states(), seconds)

    def version(self, seconds: float) -> int:
        """The version that the address means.

        Raises:
            SegmentationError: of the kind that fits.
        """
        return self.send(self._calls.version(), seconds)

    def bands(self, seconds: float) -> ModelBands | None:
        """The bands that the model takes; `None` for 8-bit RGB.

        Raises:
            SegmentationError: of the kind that fits.
        """
        return self.send(self._calls.bands(), seconds)

    def send(self, call: RestCall[Content], seconds: float) -> Content:
        """Sends a request and reads the response.

        Raises:
            SegmentationError: of the kind that fits.
        """
        ends = time.monotonic() + seconds
        parts = []
        with (
            _translated_errors(call.url),
            self._client.stream(
                call.method, call.url, content=call.body, headers=dict(call.headers), timeout=_limits(seconds)
            ) as response,
        ):
            for part in response.iter_bytes():
                parts.append(part)
                if time.monotonic() > ends:  # httpx limits each wait, not their sum.
                    raise DeadlineExceededError(f"the answer was not complete within {seconds:.3g} s")
        return call.read(RestResponse(response.status_code, response.headers, b"".join(parts)))

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
        self._calls = _calls(address)
        self._client = httpx.AsyncClient(
            headers={**_HEADERS, **headers}, verify=use_proxies and verify, transport=direct
        )

    async def predict(self, image: bytes, seconds: float) -> Answer:
        """As `RestTransport.predict`."""
        return await self.send(self._calls.predict(image), seconds)

    async def states(self, seconds: float) -> list[VersionState]:
        """As `RestTransport.states`."""
        return await self.send(self._calls.states(), seconds)

    async def version(self, seconds: float) -> int:
        """As `RestTransport.version`."""
        return await self.send(self._calls.version(), seconds)

    async def bands(self, seconds: float) -> ModelBands | None:
        """As `RestTransport.bands`."""
        return await self.send(self._calls.bands(), seconds)

    async def send(self, call: RestCall[Content], seconds: float) -> Content:
        """As `RestTransport.send`."""
        sent = self._client.request(
            call.method, call.url, content=call.body, headers=dict(call.headers), timeout=_limits(seconds)
        )
        with _translated_errors(call.url):
            try:
                response = await asyncio.wait_for(sent, seconds)
            except asyncio.TimeoutError:
                raise DeadlineExceededError(f"no answer within {seconds:.3g} s") from None
        return call.read(RestResponse(response.status_code, response.headers, response.content))

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()


def _calls(address: Address) -> RestCalls:
    return V2RestCalls(address) if address.is_v2 else V1RestCalls(address)


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
