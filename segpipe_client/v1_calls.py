"""Calls of TensorFlow Serving's APIs."""

from __future__ import annotations

from .address import Address, decoded
from .answer import Answer, ModelBands, VersionState
from .calls import GrpcCall, RestCall
from .documents import read_answer, read_bands, read_states, read_version, request_json
from .messages import (
    METADATA,
    PREDICT,
    STATUS,
    metadata_request_bytes,
    read_response,
    request_bytes,
    status_request_bytes,
)
from .messages import read_bands as read_bands_message
from .messages import read_states as read_states_message
from .messages import read_version as read_version_message

_METADATA_NAME = "the metadata of a model"


class V1RestCalls:
    """Calls of the REST API."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def predict(self, image: bytes) -> RestCall[Answer]:
        """The model's answer for an encoded image."""
        return RestCall("POST", self._address.predict_url, read_answer, request_json(image))

    def states(self) -> RestCall[list[VersionState]]:
        """The states of the versions at the address."""
        return RestCall("GET", self._address.url, read_states)

    def version(self) -> RestCall[int]:
        """The version that the address means."""
        return RestCall("GET", self._address.metadata_url, read_version)

    def bands(self) -> RestCall[ModelBands | None]:
        """The bands that the model takes; `None` for 8-bit RGB."""
        return RestCall("GET", self._address.metadata_url, read_bands)


class V1GrpcCalls:
    """Calls of the gRPC API."""

    def __init__(self, address: Address) -> None:
        label = None if address.label is None else decoded(address.label)
        self._spec = decoded(address.model), address.version, label

    def predict(self, image: bytes) -> GrpcCall[Answer]:
        """The model's answer for an encoded image."""
        return GrpcCall(PREDICT, request_bytes(image, *self._spec), read_response, "that of a segmentation model")

    def states(self) -> GrpcCall[list[VersionState]]:
        """The states of the versions at the address."""
        request = status_request_bytes(*self._spec)
        return GrpcCall(STATUS, request, read_states_message, "the states of a model's versions")

    def version(self) -> GrpcCall[int]:
        """The version that the address means."""
        return GrpcCall(METADATA, metadata_request_bytes(*self._spec), read_version_message, _METADATA_NAME)

    def bands(self) -> GrpcCall[ModelBands | None]:
        """The bands that the model takes; `None` for 8-bit RGB."""
        return GrpcCall(METADATA, metadata_request_bytes(*self._spec), read_bands_message, _METADATA_NAME)
