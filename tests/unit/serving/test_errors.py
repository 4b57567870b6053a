"""Codes and sentences of refused requests."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from serving.errors import ServingError, from_tensorflow, sentence

ASSERTION = """{{function_node __inference_serving_default_412}} {{function_node cond_true_77}} assertion failed: \
[picture refused: height and width] [60000 60000] [are over the limit of] [4000000] [pixels]
\t [[{{node map/while/Assert/Assert}}]]
\t [[StatefulPartitionedCall]] [Op:__inference_signature_wrapper_1]"""


def test_of_an_assertion_the_text_and_the_figures_are_kept() -> None:
    assert sentence(ASSERTION) == "picture refused: height and width 60000 60000 are over the limit of 4000000 pixels"


def test_of_another_error_the_first_line_is_kept_without_the_graph() -> None:
    message = "{{function_node f}} Invalid PNG data, size 60\n\t [[{{node map/while/DecodeImage}}]]"
    assert sentence(message) == "Invalid PNG data, size 60"
    assert sentence("Detected at node 'x' defined at\nInvalid PNG") == "Invalid PNG"
    assert sentence("") == ""


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
