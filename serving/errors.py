"""How a request fails: a canonical code and one sentence, the same over gRPC and REST."""

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
"""What TensorFlow Serving answers over HTTP (model_servers/http_server.cc); every other code is a 500."""

_CODES = {code.value[0]: code for code in StatusCode}
_MESSAGE_LIMIT = 1024


class ServingError(Exception):
    """A request that cannot be answered; `message` is what the client reads."""

    def __init__(self, code: StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def number(self) -> int:
        """The code's number, the same in gRPC and in TensorFlow."""
        return int(self.code.value[0])

    @property
    def http_status(self) -> int:
        """The status over HTTP."""
        return HTTP_STATUS.get(self.code, HTTPStatus.INTERNAL_SERVER_ERROR)

    @property
    def details(self) -> str:
        """The message as gRPC carries it, cut as in model_servers/grpc_status_util.cc."""
        cut = self.message[:_MESSAGE_LIMIT]
        return cut if cut == self.message else f"{cut}...TRUNCATED"


class FailedPictureError(UserError):
    """An image that a command could not have segmented: which one, and why; others may be fine."""


class RefusedPictureError(FailedPictureError):
    """A picture that a model does not take, as a command tells it: which one, and why."""


class WrongMethodError(ServingError):
    """A request with a method that the address does not take."""

    def __init__(self, message: str) -> None:
        super().__init__(StatusCode.INVALID_ARGUMENT, message)

    @property
    def http_status(self) -> int:
        """405, Method Not Allowed."""
        return HTTPStatus.METHOD_NOT_ALLOWED


class TooLargeError(ServingError):
    """A body over the limit, for which HTTP has a status of its own."""

    def __init__(self, message: str) -> None:
        super().__init__(StatusCode.RESOURCE_EXHAUSTED, message)

    @property
    def http_status(self) -> int:
        """413, so that a client does not try again as it would after a 429."""
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def invalid(message: str) -> ServingError:
    """A request that is wrong in itself."""
    return ServingError(StatusCode.INVALID_ARGUMENT, message)


def refused(reason: str, index: int, count: int) -> ServingError:
    """The refusal of one picture; of several in a request, with its index, which counts from 0."""
    reason = reason.removeprefix(REFUSED)
    return invalid(f"{REFUSED}{reason}" if count == 1 else f"{REFUSED}index {index} of {count}: {reason}")


def from_tensorflow(code: int, message: str) -> ServingError:
    """TensorFlow's error, of whose message the sentence is kept and the graph around it left out."""
    return ServingError(_CODES.get(code, StatusCode.UNKNOWN), extract_error_message(message))
