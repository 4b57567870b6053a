"""Parameters of requests: an unknown parameter is refused, because ignoring it would change the answer unseen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from segpipe_client.errors import shortened
from serving.errors import ServingError, invalid

_MICROSECONDS = 1_000_000


class Document(BaseModel):
    """Base of the request's parts: no unknown keys, no conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, protected_namespaces=())


class RequestParameters(Document):
    """Parameters of a request; without the others of Triton, such as `priority` and `sequence_id`."""

    binary_data_output: bool = Field(default=False, description="Whether outputs are sent as raw bytes.")
    signature_name: str = Field(default="", description="Signature of the model, by default `serving_default`.")
    timeout: int | None = Field(default=None, gt=0, description="Time limit in microseconds.")

    @property
    def seconds(self) -> float | None:
        """Time limit in seconds."""
        return None if self.timeout is None else self.timeout / _MICROSECONDS


class InputParameters(Document):
    """Parameters of an input."""

    binary_data_size: Annotated[int | None, Field(ge=0)] = None
    content_type: Literal["base64"] | None = None


class OutputParameters(Document):
    """Parameters of a requested output; `binary_data` overrides the request's `binary_data_output`."""

    binary_data: bool | None = None


class NoParameters(Document):
    """Parameters of an input in typed fields, and of an output, over gRPC: there are none."""


class RawInputParameters(Document):
    """Parameters of an input in raw bytes over gRPC; KServe's client repeats the size that the message has already."""

    binary_data_size: int | None = None


_Part = TypeVar("_Part", bound=Document)


def checked(part: type[_Part], values: Mapping[str, Any], place: str) -> _Part:
    """Returns the typed part of a request at `place`.

    Raises:
        ServingError: a key is unknown, or a value has another type.
    """
    try:
        return part.model_validate(values)
    except ValidationError as error:
        raise explained(error, place) from None


def explained(error: ValidationError, place: str = "") -> ServingError:
    """Returns the first error of a document as one sentence, without the values that were given."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join([place] * bool(place) + [str(part) for part in first["loc"]])
    reason = "unknown key" if first["type"] == "extra_forbidden" else first["msg"]
    return invalid(f"{shortened(path)}: {reason}" if path else reason)
