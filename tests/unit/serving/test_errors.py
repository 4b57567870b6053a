"""Codes and sentences of refused requests."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from serving.errors import ServingError, deadline_passed, from_tensorflow


@pytest.mark.parametrize(
    ("number", "code", "status"),
    [
        (3, StatusCode.INVALID_ARGUMENT, 400),
        (4, StatusCode.DEADLINE_EXCEEDED, 504),
        (8, StatusCode.RESOURCE_EXHAUSTED, 429),
        (13, StatusCode.INTERNAL, 500),
        (15, StatusCode.DATA_LOSS, 500),
        (99, StatusCode.UNKNOWN, 500),
    ],
)
def test_tensorflows_codes_are_those_of_grpc_and_have_their_http_status(
    number: int, code: StatusCode, status: int
) -> None:
    error = from_tensorflow(number, "x")
    assert (error.code, error.http_status) == (code, status)


def test_a_long_message_is_cut_for_grpc() -> None:
    error = ServingError(StatusCode.INTERNAL, "x" * 2000)
    assert error.details == "x" * 1024 + "...TRUNCATED"
    assert ServingError(StatusCode.INTERNAL, "short").details == "short"


def test_a_deadline_that_tensorflow_notices_first_has_the_server_s_own_sentence() -> None:
    error = from_tensorflow(4, "Timed out waiting for notification")
    assert error.message == deadline_passed().message == "the deadline passed before the response was ready"
