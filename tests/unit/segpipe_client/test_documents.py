"""The documents of TensorFlow Serving's REST API, and what becomes of a status that is not 200."""

from __future__ import annotations

import json

import pytest

from segpipe_client.answer import ModelBands, VersionState
from segpipe_client.documents import RestResponse, read_bands, read_states, read_version
from segpipe_client.errors import (
    DeadlineExceededError,
    PictureRefusedError,
    SegmentationError,
    ServerUnavailableError,
)

STATUS = {
    "model_version_status": [
        {"version": "3", "state": "END", "status": {"error_code": "INTERNAL", "error_message": "damaged"}},
        {"version": "2", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}},
        {"version": "1", "state": "LOADING"},
    ]
}
METADATA = {"model_spec": {"name": "pets", "signature_name": "", "version": "3"}, "metadata": {"signature_def": {}}}


def metadata(**signatures: object) -> dict[str, object]:
    """Signatures as TensorFlow Serving describes them."""
    return METADATA | {"metadata": {"signature_def": {"signature_def": signatures}}}


def takes(dtype: str, *sizes: str) -> dict[str, object]:
    """A signature with the input `pixels`."""
    shape = {"dim": [{"size": size, "name": ""} for size in sizes], "unknown_rank": False}
    return {"inputs": {"pixels": {"dtype": dtype, "tensor_shape": shape, "name": "pixels:0"}}}


def response(document: object, status: int = 200) -> RestResponse:
    return RestResponse(status, {}, json.dumps(document).encode())


def test_states_are_read_with_the_reason_of_an_end() -> None:
    assert read_states(response(STATUS)) == [
        VersionState(3, "END", "damaged"),
        VersionState(2, "AVAILABLE", ""),
        VersionState(1, "LOADING", ""),
    ]


def test_the_version_of_metadata_is_read() -> None:
    assert read_version(response(METADATA)) == 3


def test_the_bands_of_a_model_are_read_from_its_signature_for_raw_samples() -> None:
    described = metadata(serving_default={}, serving_pixels=takes("DT_UINT16", "-1", "-1", "-1", "5"))
    assert read_bands(response(described)) == ModelBands(5, "uint16")


def test_a_model_without_that_signature_takes_8_bit_rgb() -> None:
    assert read_bands(response(metadata(serving_default={}))) is None


@pytest.mark.parametrize("signature", [takes("DT_HALF", "-1", "5"), takes("DT_UINT8"), {"inputs": {}}])
def test_a_signature_for_other_samples_is_an_error(signature: dict[str, object]) -> None:
    with pytest.raises(SegmentationError, match="the server's answer is not the metadata of a model"):
        read_bands(response(metadata(serving_pixels=signature)))


@pytest.mark.parametrize("read", [read_states, read_version, read_bands])
@pytest.mark.parametrize(
    "document", [[], {}, 1, {"model_version_status": 1, "model_spec": 1}, {"model_version_status": [{"status": 1}]}]
)
def test_another_document_is_an_error(read: object, document: object) -> None:
    with pytest.raises(SegmentationError, match=r"the server's answer is not the (states|metadata) of a model"):
        read(response(document))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, PictureRefusedError, "INVALID_ARGUMENT"),
        (413, PictureRefusedError, "HTTP 413"),
        (404, SegmentationError, "NOT_FOUND"),
        (429, ServerUnavailableError, "RESOURCE_EXHAUSTED"),
        (502, ServerUnavailableError, "HTTP 502"),
        (503, ServerUnavailableError, "UNAVAILABLE"),
        (504, DeadlineExceededError, "DEADLINE_EXCEEDED"),
        (500, SegmentationError, "HTTP 500"),
    ],
)
def test_an_error_has_the_code_of_its_status(status: int, error: type[SegmentationError], code: str) -> None:
    with pytest.raises(error, match="what it is") as caught:
        read_version(response({"error": "what it is"}, status))
    assert (type(caught.value), caught.value.code) == (error, code)
