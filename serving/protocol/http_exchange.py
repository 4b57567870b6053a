"""Reads request bodies within the limits, and writes responses and errors as JSON; shared by both REST APIs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import aiohttp
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from grpc import StatusCode

from segpipe_client.errors import shortened
from serving import logs
from serving.errors import ServingError, TooLargeError, WrongMethodError, invalid
from serving.protocol.http_errors import first_words
from serving.protocol.rest_json import error_json

LARGEST_VERSION = 2**63 - 1
LARGE_BYTES = 1 << 18
"""Size from which a body is parsed or written in a thread."""

READ_METHODS = (hdrs.METH_GET, hdrs.METH_HEAD)

_Result = TypeVar("_Result")


async def answered(answer: Awaitable[web.Response]) -> web.Response:
    """Returns the response, or that of the error which it ends in."""
    try:
        return await answer
    except ServingError as error:
        response = json_response(error_json(error.message), error.http_status)
        if isinstance(error, WrongMethodError):
            response.headers[hdrs.ALLOW] = error.allowed
        return response
    except web.HTTPException:
        raise
    except Exception as error:  # noqa: BLE001  # Logged; the client gets no details.
        logs.failure("request_bug", error)
        return json_response(error_json(f"internal error: {type(error).__name__}"), 500)


async def read_body(request: web.Request, deadline: float) -> bytes:
    """Reads the whole body, decompressed.

    Raises:
        ServingError: it is over the limit, or does not arrive in time.
    """
    try:
        return await asyncio.wait_for(request.read(), max(0, deadline - time.monotonic()))
    except asyncio.TimeoutError:
        raise ServingError(StatusCode.DEADLINE_EXCEEDED, "the body did not come in time") from None
    except web.HTTPRequestEntityTooLarge as error:
        raise TooLargeError(str(error.text)) from None
    except ConnectionError:
        raise ServingError(StatusCode.CANCELLED, "the client has gone away") from None
    except (aiohttp.ClientPayloadError, HttpProcessingError, web.RequestPayloadError) as error:
        raise invalid(f"the body cannot be read: {first_words(str(error))}") from None


async def off_loop_if(large: bool, function: Callable[..., _Result], *arguments: Any) -> _Result:
    """Calls the function, in a thread if its input is large, so that other requests do not wait for it."""
    return await asyncio.to_thread(function, *arguments) if large else function(*arguments)


def parse_version(digits: str) -> int:
    """Returns the number of a version.

    Raises:
        ServingError: it has more than 64 bits.
    """
    number = int(digits) if len(digits) < 20 else LARGEST_VERSION + 1
    if number > LARGEST_VERSION:
        raise invalid(f"Failed to convert version: {shortened(digits)} to numeric.")
    return number


def decode_part(text: str, what: str) -> str:
    """Decodes the escapes in a part of a path.

    Raises:
        ServingError: the bytes are not UTF-8.
    """
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise invalid(f"Failed to decode {what}:{shortened(text)}") from None


def json_response(body: bytes, status: int = 200) -> web.Response:
    """Returns a response of JSON."""
    return web.Response(body=body, status=status, content_type="application/json")
