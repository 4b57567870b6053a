"""Address of a model on a server, in one line: the protocol's own path behind a scheme and a host.

The path is TensorFlow Serving's, or with `v2+` in front of the scheme the Open Inference Protocol's, where a version
may be a label.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

_PATH = re.compile(r"(.*?)/v1/models/([^/:]+)(?:/versions/([0-9]{1,18})|/labels/([^/:]+))?(?::predict)?/?")
_V2_PATH = re.compile(r"(.*?)/v2/models/([^/]+)(?:/versions/([^/]+))?(?:/infer)?/?")
_V2 = "v2+"
_GRPC_PORTS = {"grpc": 8500, "grpcs": 443}


class Address(NamedTuple):
    """`scheme://host:port[prefix]/v1/models/model[/versions/version|/labels/label]`.

    With `is_v2` the path is `/v2/models/model[/versions/version]`, where a label is a version that is not a number.
    """

    scheme: str
    host: str
    prefix: str
    model: str
    version: int | None
    label: str | None
    is_v2: bool = False

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
        """The address itself, where REST has the states of versions or, in version 2, the metadata."""
        api = "v2" if self.is_v2 else "v1"
        return f"{self.scheme}://{self.host}{self.prefix}/{api}/models/{self.model}{self._choice}"

    @property
    def predict_url(self) -> str:
        """Where REST takes images."""
        return f"{self.url}/infer" if self.is_v2 else f"{self.url}:predict"

    @property
    def metadata_url(self) -> str:
        """Where REST describes the model."""
        return self.url if self.is_v2 else f"{self.url}/metadata"

    @property
    def _choice(self) -> str:
        if self.version is not None:
            return f"/versions/{self.version}"
        if self.label is None:
            return ""
        return f"/versions/{self.label}" if self.is_v2 else f"/labels/{self.label}"


def parse_address(url: str) -> Address:
    """The parts of `url`.

    Raises:
        ValueError: it is not the address of a model.
    """
    is_v2 = url.lower().startswith(_V2)
    example = _example(is_v2)
    try:
        parts = urlsplit(url[len(_V2) :] if is_v2 else url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is not an address ({error}); one is {example}") from None
    if parts.scheme not in ("http", "https", *_GRPC_PORTS) or not parts.hostname:
        raise ValueError(f"{url!r} is not an address of a server; one is {example}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"an address has no user, query or fragment; one is {example}, and `headers` take a token")
    found = (_V2_PATH if is_v2 else _PATH).fullmatch(parts.path)
    if not found:
        raise ValueError(f"the address {url} does not say which model; one is {example}")
    prefix, model = found[1], found[2]
    if parts.scheme in _GRPC_PORTS and prefix:
        path = "/v2/models" if is_v2 else "/v1/models"
        raise ValueError(f"gRPC has no path in front of {path}, as in {url}; an address is {example}")
    host = parts.netloc if port or parts.scheme not in _GRPC_PORTS else f"{parts.netloc}:{_GRPC_PORTS[parts.scheme]}"
    version, label = _v2_choice(found[3]) if is_v2 else (found[3], found[4])
    return Address(parts.scheme, host, prefix, model, int(version) if version else None, label, is_v2)


def _example(is_v2: bool) -> str:
    if is_v2:
        return "v2+http://HOST:8501/v2/models/NAME or v2+grpc://HOST:8500/v2/models/NAME"
    return "http://HOST:8501/v1/models/NAME or grpc://HOST:8500/v1/models/NAME"


def _v2_choice(text: str | None) -> tuple[str | None, str | None]:
    """Version and label: what is not a number is a label."""
    if text is None:
        return None, None
    return (text, None) if re.fullmatch(r"[0-9]{1,18}", text) else (None, text)


def decoded(text: str) -> str:
    """A part of the path as gRPC carries it."""
    return unquote(text)
