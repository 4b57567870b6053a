"""The clients: one for threads, one for an event loop; the address says which protocol is spoken."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from .address import Address, parse_address
from .answer import ModelBands, VersionState
from .errors import PictureRefusedError, ServerUnavailableError
from .pictures import Picture, encoded
from .rest import AsyncRestTransport, RestTransport
from .retries import Attempts
from .rpc import AsyncGrpcTransport, GrpcTransport, require_grpc
from .segmentation import Segmentation, make_segmentation

TIMEOUT = 30.0
CONCURRENCY = 4

_Answer = TypeVar("_Answer")


class SegmentationClient:
    """Asks a model for masks; may be used by several threads, and should be kept: it holds connections.

    Example:
        with SegmentationClient("grpc://localhost:8500/v1/models/pets") as client:
            print(client.predict("cat.jpg").fractions)
    """

    def __init__(
        self,
        url: str,
        *,
        classes: Sequence[str] | None = None,
        timeout: float = TIMEOUT,
        patience: float | None = None,
        headers: Mapping[str, str] | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        use_proxies: bool = True,
    ) -> None:
        """Connects with the first request.

        Args:
            url: the model's address, `http://HOST:PORT/v1/models/NAME`, with https, grpc or grpcs likewise;
                `/versions/3` or `/labels/canary` at its end ask for that version.
            classes: names of the classes, in the order of their indices, instead of those that the model brings.
            timeout: seconds for an image, with all attempts.
            patience: seconds in which a server that is not there, or is too busy, is asked again; without it, the whole
                timeout.
            headers: sent with each request, such as a token for a gateway.
            ca_file: PEM file of the authorities that vouch for the server, instead of the system's.
            use_proxies: takes the proxies that the environment names, such as `HTTPS_PROXY`.

        Raises:
            ValueError: `url` is not the address of a model.
            ImportError: gRPC is asked for, and the packages of the extra `grpc` are not there.
        """
        address = _parsed(url)
        transport = GrpcTransport if address.is_grpc else RestTransport
        ca_path = None if ca_file is None else os.fspath(ca_file)
        self._transport = transport(address, headers or {}, ca_path, use_proxies)
        self._classes = classes
        self._timeout = timeout
        self._patience = patience

    def predict(self, picture: Picture, timeout: float | None = None) -> Segmentation:
        """Segments one image: a path, a file's bytes, pixels [H, W, 3] as uint8, a Pillow image, or `Bands`.

        While the server cannot be reached or is too busy, it is tried again, up to the deadline.

        Raises:
            PictureRefusedError: the server does not accept the image, and says why.
            ServerUnavailableError: it could not be reached, or was too busy.
            DeadlineExceededError: it took too long.
            SegmentationError: it answers with another error, or with something else than a segmentation.
            OSError: the file cannot be read.
        """
        sent = encoded(picture)
        return self._until_answered(
            lambda seconds: make_segmentation(self._transport.predict(sent, seconds), sent, self._classes), timeout
        )

    def predict_many(
        self,
        pictures: Iterable[Picture],
        *,
        timeout: float | None = None,
        concurrency: int = CONCURRENCY,
        return_refused: bool = False,
    ) -> list[Segmentation | PictureRefusedError]:
        """Segments several images, `concurrency` of them at a time, and returns the segmentations in their order.

        Each is a request of its own, so that a bad one spoils no other; the server runs them together.

        Args:
            pictures: images as `predict` takes them.
            timeout: seconds for each.
            concurrency: how many at a time.
            return_refused: returns the exception of a refused image in the list, instead of raising it.

        Raises:
            PictureRefusedError: with the `index` of the image.
            SegmentationError, OSError: as `predict`.
        """

        def one(index: int, picture: Picture) -> Segmentation | PictureRefusedError:
            try:
                return self.predict(picture, timeout)
            except PictureRefusedError as error:
                return _indexed(error, index, return_refused)

        with ThreadPoolExecutor(concurrency) as pool:
            futures = [pool.submit(one, index, picture) for index, picture in enumerate(pictures)]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def model_states(self, timeout: float | None = None) -> list[VersionState]:
        """The states of the model's versions, or of the version that the address names.

        Raises:
            ServerUnavailableError, DeadlineExceededError, SegmentationError: as `predict`.
        """
        return self._until_answered(self._transport.states, timeout)

    def model_version(self, timeout: float | None = None) -> int:
        """The version that the address means now, such as the one behind its label.

        Raises:
            ServerUnavailableError, DeadlineExceededError, SegmentationError: as `predict`.
        """
        return self._until_answered(self._transport.version, timeout)

    def model_bands(self, timeout: float | None = None) -> ModelBands | None:
        """Number and depth of the bands that the model takes, as `Bands`; `None` for a model of 8-bit RGB.

        Raises:
            ServerUnavailableError, DeadlineExceededError, SegmentationError: as `predict`.
        """
        return self._until_answered(self._transport.bands, timeout)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> SegmentationClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _until_answered(self, ask: Callable[[float], _Answer], timeout: float | None) -> _Answer:
        """Calls `ask` with the seconds that are left, again as long as the server is not there or too busy."""
        attempts = Attempts(self._timeout if timeout is None else timeout, self._patience)
        while True:
            try:
                return ask(attempts.remaining())
            except ServerUnavailableError as error:
                time.sleep(attempts.pause(error))


class AsyncSegmentationClient:
    """The same for an event loop: to be used on one loop, with `async with` or `await client.close()`."""

    def __init__(
        self,
        url: str,
        *,
        classes: Sequence[str] | None = None,
        timeout: float = TIMEOUT,
        patience: float | None = None,
        headers: Mapping[str, str] | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        use_proxies: bool = True,
    ) -> None:
        """As `SegmentationClient`."""
        self._address = _parsed(url)
        self._headers = headers or {}
        self._ca_file = None if ca_file is None else os.fspath(ca_file)
        self._use_proxies = use_proxies
        self._transport: AsyncRestTransport | AsyncGrpcTransport | None = None
        self._classes = classes
        self._timeout = timeout
        self._patience = patience

    async def predict(self, picture: Picture, timeout: float | None = None) -> Segmentation:
        """As `SegmentationClient.predict`."""
        sent = await asyncio.to_thread(encoded, picture)

        async def ask(seconds: float) -> Segmentation:
            answer = await self._connected().predict(sent, seconds)
            return await asyncio.to_thread(make_segmentation, answer, sent, self._classes)

        return await self._until_answered(ask, timeout)

    async def predict_many(
        self,
        pictures: Iterable[Picture],
        *,
        timeout: float | None = None,
        concurrency: int = CONCURRENCY,
        return_refused: bool = False,
    ) -> list[Segmentation | PictureRefusedError]:
        """As `SegmentationClient.predict_many`."""
        room = asyncio.Semaphore(concurrency)

        async def one(index: int, picture: Picture) -> Segmentation | PictureRefusedError:
            async with room:
                try:
                    return await self.predict(picture, timeout)
                except PictureRefusedError as error:
                    return _indexed(error, index, return_refused)

        return await _all_or_none([one(index, picture) for index, picture in enumerate(pictures)])

    async def model_states(self, timeout: float | None = None) -> list[VersionState]:
        """As `SegmentationClient.model_states`."""
        return await self._until_answered(lambda seconds: self._connected().states(seconds), timeout)

    async def model_version(self, timeout: float | None = None) -> int:
        """As `SegmentationClient.model_version`."""
        return await self._until_answered(lambda seconds: self._connected().version(seconds), timeout)

    async def model_bands(self, timeout: float | None = None) -> ModelBands | None:
        """As `SegmentationClient.model_bands`."""
        return await self._until_answered(lambda seconds: self._connected().bands(seconds), timeout)

    async def close(self) -> None:
        """Closes the connections."""
        if self._transport:
            await self._transport.close()

    async def __aenter__(self) -> AsyncSegmentationClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _until_answered(self, ask: Callable[[float], Awaitable[_Answer]], timeout: float | None) -> _Answer:
        """As `SegmentationClient._until_answered`."""
        attempts = Attempts(self._timeout if timeout is None else timeout, self._patience)
        while True:
            try:
                return await ask(attempts.remaining())
            except ServerUnavailableError as error:
                await asyncio.sleep(attempts.pause(error))

    def _connected(self) -> AsyncRestTransport | AsyncGrpcTransport:
        if self._transport is None:  # gRPC's channel belongs to the loop that it is made on.
            transport = AsyncGrpcTransport if self._address.is_grpc else AsyncRestTransport
            self._transport = transport(self._address, self._headers, self._ca_file, self._use_proxies)
        return self._transport


def _parsed(url: str) -> Address:
    address = parse_address(url)
    if address.is_grpc:
        require_grpc()
    return address


def _indexed(error: PictureRefusedError, index: int, returned: bool) -> PictureRefusedError:
    error.index = index
    if not returned:
        raise error
    return error


async def _all_or_none(calls: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """The results of all; if one fails, the others are cancelled."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
