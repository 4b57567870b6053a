"""Closed-loop clients in a process of their own, for `benchmarks.serving`: each sends its next request on an answer.

    python -m benchmarks.serving_load grpc|http ADDRESS BODY_FILE --clients 4 --seconds 5

Requests are bytes made beforehand and answers are not read, so that next to no time goes into the clients.  Prints one
line of JSON: the milliseconds of each request, the seconds of all, and the bytes of one request and one answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import grpc

from segpipe_client.messages import PREDICT

_WARM_UP = 3

Send = Callable[[], Awaitable[int]]


def main() -> None:
    """Sends, and prints what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("protocol", choices=["grpc", "http"])
    parser.add_argument("address")
    parser.add_argument("body", type=Path)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--method", default=PREDICT, help="method of gRPC")
    parser.add_argument("--headers", type=json.loads, default={}, help="headers of HTTP")
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(_load(arguments))))


async def _load(arguments: argparse.Namespace) -> dict[str, object]:
    body = arguments.body.read_bytes()
    taken: list[float] = []
    async with AsyncExitStack() as stack:
        sends = [await _connect(stack, arguments, body) for _ in range(arguments.clients)]
        for _ in range(_WARM_UP):
            answer_bytes = await sends[0]()
        began = time.perf_counter()
        await asyncio.gather(*(_send_on(send, began + arguments.seconds, taken) for send in sends))
        seconds = time.perf_counter() - began
    return {"milliseconds": taken, "seconds": seconds, "sent_bytes": len(body), "answer_bytes": answer_bytes}


async def _send_on(send: Send, until: float, taken: list[float]) -> None:
    while (began := time.perf_counter()) < until:
        await send()
        taken.append(1000 * (time.perf_counter() - began))


async def _connect(stack: AsyncExitStack, arguments: argparse.Namespace, body: bytes) -> Send:
    if arguments.protocol == "grpc":
        return await _grpc(stack, arguments.address, arguments.method, body)
    return await _http(stack, arguments.address, arguments.headers, body)


async def _grpc(stack: AsyncExitStack, address: str, method: str, body: bytes) -> Send:
    options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(address, options))
    call = channel.unary_unary(method)

    async def send() -> int:
        return len(await call(body, timeout=600))

    return send


async def _http(stack: AsyncExitStack, address: str, headers: dict[str, str], body: bytes) -> Send:
    session = await stack.enter_async_context(
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(600), headers={"Accept-Encoding": "identity", **headers})
    )

    async def send() -> int:
        async with session.post(address, data=body) as response:
            answer = await response.read()
            response.raise_for_status()
            return len(answer)

    return send


if __name__ == "__main__":
    main()
