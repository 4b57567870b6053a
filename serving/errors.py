"""Errors of requests: a canonical code and one sentence, the same over gRPC and REST."""

from __future__ import annotations

from http import HTTPStatus

from grpc import StatusCode

from common.errors import UserError
from segpipe_client.errors import REFUSED, extract_error_message

HTTP_STATUS: dict[StatusCode, int] = {
    StatusCode.OK: HTTPStatus.OK,
    StatusCode.CANCELLED: 499,
    StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    StatusCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    StatusCode.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    StatusCode.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    StatusCode.ABORTED: HTTPStatus.CONFLICT,
    StatusCode.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    StatusCode.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    StatusCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
}
"""HTTP statuses of TensorFlow Serving (model_servers/http_server.cc); every other code is a 500."""

_CODES = {code.value[0]: code for code in StatusCode}
_MESSAGE_LIMIT = 1024


class ServingError(Exception):
    """Request that cannot be answered; `message` is for the client."""

    def __init__(self, code: StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def number(self) -> int:
        """Number of the code, the same in gRPC and in TensorFlow."""
        return int(self.code.value[0])

    @property
    def http_status(self) -> int:
        """HTTP status."""
        return HTTP_STATUS.get(self.code, HTTPStatus.INTERNAL_SERVER_ERROR)

    @property
    def details(self) -> str:
        """The message in a gRPC response, shortened as in model_servers/grpc_status_util.cc."""
        cut = self.message[:_MESSAGE_LIMIT]
        return cut if cut == self.message else f"{cut}...TRUNCATED"


class FailedPictureError(UserError):
    """Image that a command could not segment, and why; others may succeed."""


class RefusedPictureError(FailedPictureError):
    """Image that the model refuses, and why, as reported by a command."""


class WrongMethodError(ServingError):
    """Request with an HTTP method that the address does not support; `allowed` are those that it does."""

    def __init__(self, message: str, allowed: str = "POST") -> None:
        super().__init__(StatusCode.INVALID_ARGUMENT, message)
        self.allowed = allowed

    @property
    def http_status(self) -> int:
        """405, Method Not Allowed."""
        return HTTPStatus.METHOD_NOT_ALLOWED


class NotFoundError(ServingError):
    """Request for an address or a model that this server does not have."""

    def __init__(self, message: str) -> None:
        super().__init__(StatusCode.NOT_FOUND, message)


class ConflictError(ServingError):
    """Request that does not fit the state of what it names."""

    def __init__(self, message: str) -> None:
        super().__init__(StatusCode.FAILED_PRECONDITION, message)

    @property
    def http_status(self) -> int:
        """409, Conflict."""
        return HTTPStatus.CONFLICT


class TooLargeError(ServingError):
    """Request body over the limit, which has its own HTTP status."""

    def __init__(self, message: str) -> None:
        super().__init__(StatusCode.RESOURCE_EXHAUSTED, message)

    @property
    def http_status(self) -> int:
        """413, Content Too Large, which clients do not retry, unlike 429."""
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def invalid(message: str) -> ServingError:
    """Returns the error of an invalid request."""
    return ServingError(StatusCode.INVALID_ARGUMENT, message)


def refused(reason: str, index: int, count: int) -> ServingError:
    """Returns the refusal of one image, with its index from 0 if the request has several."""
    reason = reason.removeprefix(REFUSED)
    return invalid(f"{REFUSED}{reason}" if count == 1 else f"{REFUSED}index {index} of {count}: {reason}")


def deadline_passed() -> ServingError:
    """Returns the error of a request that took too long, whichever clock noticed it: the server's or TensorFlow's."""
    return ServingError(StatusCode.DEADLINE_EXCEEDED, "the deadline passed before the response was ready")


def from_tensorflow(code: int, message: str) -> ServingError:
    """Converts TensorFlow's error; of its message only the sentence is kept, not the description of the graph."""
    if _CODES.get(code) is StatusCode.DEADLINE_EXCEEDED:
        return deadline_passed()
    return ServingError(_CODES.get(code, StatusCode.UNKNOWN), extract_error_message(message))
