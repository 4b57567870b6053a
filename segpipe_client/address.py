"""Address of a model on a server, in one line: TensorFlow Serving's own path behind a scheme and a host."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

_PATH = re.compile(r"(.*?)/v1/models/([^/:]+)(?:/versions/([0-9]{1,18})|/labels/([^/:]+))?(?::predict)?/?")
_GRPC_PORTS = {"grpc": 8500, "grpcs": 443}


class Address(NamedTuple):
    """`scheme://host:port[prefix]/v1/models/model[/versions/version|/labels/label]`."""

    scheme: str
    host: str
    prefix: str
    model: str
    version: int | None
    label: str | None

    @property
    def is_grpc(self) -> bool:
        """Whether the protocol is gRPC; it is REST otherwise."""
        return self.scheme in _GRPC_PORTS

    @property
    def is_secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme in ("https", "grpcs")

    @property
    def url(self) -> str:
        """The address itself, where REST has the states of versions."""
        choice = f"/versions/{self.version}" if self.version is not None else ""
        choice = f"/labels/{self.label}" if self.label is not None else choice
        return f"{self.scheme}://{self.host}{self.prefix}/v1/models/{self.model}{choice}"

    @property
    def predict_url(self) -> str:
        """Where REST takes images."""
        return f"{self.url}:predict"

    @property
    def metadata_url(self) -> str:
        """Where REST describes the model."""
        return f"{self.url}/metadata"


def parse_address(url: str) -> Address:
    """The parts of `url`.

    Raises:
        ValueError: it is not the address of a model.
    """
    example = "http://HOST:8501/v1/models/NAME or grpc://HOST:8500/v1/models/NAME"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is not an address ({error}); one is {example}") from None
    if parts.scheme not in ("http", "https", *_GRPC_PORTS) or not parts.hostname:
        raise ValueError(f"{url!r} is not an address of a server; one is {example}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"an address has no user, query or fragment; one is {example}, and `headers` take a token")
    found = _PATH.fullmatch(parts.path)
    if not found:
        raise ValueError(f"the address {url} does not say which model; one is {example}")
    prefix, model, version, label = found.groups()
    if parts.scheme in _GRPC_PORTS and prefix:
        raise ValueError(f"gRPC has no path in front of /v1/models, as in {url}; an address is {example}")
    host = parts.netloc if port or parts.scheme not in _GRPC_PORTS else f"{parts.netloc}:{_GRPC_PORTS[parts.scheme]}"
    return Address(parts.scheme, host, prefix, model, int(version) if version else None, label)


def decoded(text: str) -> str:
    """A part of the path as gRPC carries it."""
    return unquote(text)
