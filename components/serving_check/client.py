"""Client of the server under test: one image per connection and its timed response, over gRPC and over REST."""

from __future__ import annotations

import io
import time
from contextlib import closing
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
from PIL import Image

from segpipe_client.address import Address
from segpipe_client.answer import VersionState
from segpipe_client.rest import RestTransport
from segpipe_client.rpc import GrpcTransport

HOST = "127.0.0.1"
INVALID_ARGUMENT = "INVALID_ARGUMENT"
UNAVAILABLE = "UNAVAILABLE"
REQUEST_SECONDS = 120


class Answer(NamedTuple):
    """What an app gets for an image."""

    mask: bytes
    class_fractions_C: np.ndarray
    seconds: float

    @property
    def mask_HW(self) -> np.ndarray:
        """The class of each pixel."""
        return np.asarray(Image.open(io.BytesIO(self.mask)))


def predict_grpc(port: int, model_name: str, encoded: bytes) -> Answer:
    """Predicts over gRPC, on a connection of its own.

    Raises:
        SegmentationError: the server gives no mask, or is not there.
    """
    return _predict(GrpcTransport(_address("grpc", port, model_name), {}, None, use_proxies=False), encoded)


def predict_rest(port: int, model_name: str, encoded: bytes) -> Answer:
    """Predicts over REST, on a connection of its own.

    Raises:
        SegmentationError: the server gives no mask, or is not there.
    """
    return _predict(RestTransport(_address("http", port, model_name), {}, None, use_proxies=False), encoded)


def version_states(port: int, model_name: str) -> list[VersionState]:
    """Returns the states of the model's versions, over REST.

    Raises:
        SegmentationError: the server does not know the model, or is not there.
    """
    with closing(RestTransport(_address("http", port, model_name), {}, None, use_proxies=False)) as transport:
        return transport.states(REQUEST_SECONDS)


def _address(scheme: str, port: int, model_name: str) -> Address:
    return Address(scheme, f"{HOST}:{port}", prefix="", model=quote(model_name, safe=""), version=None, label=None)


def _predict(transport: GrpcTransport | RestTransport, encoded: bytes) -> Answer:
    """Without retries, and without any look at what is sent: it may be hostile."""
    with closing(transport):
        began = time.monotonic()
        answer = transport.predict(encoded, REQUEST_SECONDS)
        seconds = time.monotonic() - began
    return Answer(answer.mask_png, np.array(answer.class_fractions_C, np.float32), seconds)
