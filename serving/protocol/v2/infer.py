"""Inference request and response, independent of REST and gRPC."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from common.plurals import counted
from segpipe_client.errors import shortened
from segpipe_client.v2_tensors import BYTES, unpack_bytes
from serving.canary.routing import Target
from serving.dataplane import Call, Dataplane
from serving.errors import invalid
from serving.model import Outputs, Signature
from serving.protocol.lookup import find_signature
from serving.protocol.tensors import check_count
from serving.protocol.v2.parameters import RequestParameters


class InputTensor(NamedTuple):
    """Input as it was sent: its elements, and what was declared of them."""

    name: str
    datatype: str
    shape: Sequence[int]
    values: list[bytes]


class InferRequest(NamedTuple):
    """Inference request; without `outputs` all are meant."""

    id: str
    parameters: RequestParameters
    inputs: list[InputTensor]
    outputs: tuple[str, ...]


async def infer(dataplane: Dataplane, target: Target, request: InferRequest, call: Call) -> Outputs:
    """Runs a request on a version and returns its outputs.

    Raises:
        ServingError: it is not valid, is refused by the model, or takes too long.
    """
    signature = find_signature(target, request.parameters.signature_name)
    images = _images(signature, request.inputs, dataplane.limits.pictures)
    deadline = call.deadline
    if request.parameters.seconds is not None:
        deadline = min(deadline, time.monotonic() + request.parameters.seconds)
    return await dataplane.predict(target, signature, images, request.outputs, deadline)


def elements(raw: bytes | memoryview, name: str, limit: int) -> list[bytes]:
    """Returns the elements in the raw bytes of an input.

    Raises:
        ServingError: an element is cut off, or there are more than `limit`.
    """
    try:
        return unpack_bytes(raw, limit)
    except ValueError as error:
        raise invalid(
            f"input {shortened(name)}: {error}; each image has its length in front, as 4 bytes, little-endian"
        ) from None


def _images(signature: Signature, inputs: list[InputTensor], limit: int) -> list[bytes]:
    """Returns the values of the signature's only input."""
    expected = signature.input
    if [given.name for given in inputs] != [expected]:
        names = shortened(", ".join(given.name for given in inputs)) or "none"
        raise invalid(f"the model has one input, {expected}, and the request's are: {names}")
    (given,) = inputs
    if given.datatype != BYTES:
        raise invalid(f"input {expected} must be BYTES, encoded images, but {shortened(given.datatype, 16)} is given")
    check_count(len(given.values), limit)
    if list(given.shape) != [len(given.values)]:
        shown = shortened(str(list(given.shape)))
        raise invalid(
            f"input {expected} holds {counted(len(given.values), 'image')}, so its shape must be "
            f"[{len(given.values)}], not {shown}"
        )
    return given.values
