"""Looks up the version and the signature that a request names, for the protocols over HTTP and version 2."""

from __future__ import annotations

from common.signatures import SERVING_DEFAULT
from segpipe_client.errors import shortened
from serving.batching import Servable
from serving.canary.routing import Target
from serving.dataplane import Dataplane
from serving.errors import invalid
from serving.model import Signature
from serving.protocol.http_exchange import parse_version

DIGITS = frozenset("0123456789")


def find_servable(dataplane: Dataplane, name: str, version: str) -> Servable:
    """Returns the version of that number or label; without one, the stable version.

    Raises:
        ServingError: it is not loaded.
    """
    if not version:
        return dataplane.versions.find(name)
    if DIGITS.issuperset(version):
        return dataplane.versions.find(name, version=parse_version(version))
    return dataplane.versions.find(name, label=version)


def find_to_predict(dataplane: Dataplane, name: str, version: str) -> Target:
    """Returns what answers a prediction: as `find_servable`, but without a version perhaps the canary first.

    Raises:
        ServingError: it is not loaded.
    """
    servable = find_servable(dataplane, name, version)
    return servable if version else dataplane.routed(servable)


def find_signature(servable: Target, name: str) -> Signature:
    """Returns the signature of that name; an empty name means `serving_default`.

    Raises:
        ServingError: the model has none of that name.
    """
    signature = servable.signature(name)
    if signature is None:
        raise invalid(f'Serving signature name: "{shortened(name or SERVING_DEFAULT)}" not found in signature def')
    return signature
