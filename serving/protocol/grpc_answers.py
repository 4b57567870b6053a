"""Answers of gRPC methods: errors become status codes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from serving import logs
from serving.errors import ServingError

_Response = TypeVar("_Response")


async def answered(context: grpc.aio.ServicerContext, answer: Awaitable[_Response]) -> _Response:
    """Returns the response, or ends the call with the error's status code."""
    try:
        return await answer
    except ServingError as error:
        await context.abort(error.code, error.details)
    except Exception as error:  # noqa: BLE001  # Logged; the client gets no details.
        logs.failure("request_bug", error)
        await context.abort(grpc.StatusCode.INTERNAL, f"internal error: {type(error).__name__}")
    raise AssertionError("abort raises")


async def at_once(answer: Callable[[], _Response]) -> _Response:
    """Returns what a function that does not wait returns."""
    return answer()
