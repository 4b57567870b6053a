"""The registry's state in a word, for those who decide whether a step must run again.

TFX runs a step again when one of its parameters changes; it cannot see that the registry has.  So these states are
read before a run and given to the steps as parameters.
"""

from __future__ import annotations

import hashlib
import uuid

from registry.errors import UnknownVersionError
from registry.manifest import Manifest
from registry.store import Registry

NOTHING_SERVED = "none"


def registry_state(uri: str) -> str:
    """The served version with its content, `<version>:<content hash>`, or `none`: the state that a baseline has."""
    manifest = Registry(uri).served_manifest()
    return NOTHING_SERVED if manifest is None else _state_of(manifest)


def served_in(state: str) -> int | None:
    """The version that a `registry_state` speaks of."""
    return None if state == NOTHING_SERVED else int(state.partition(":")[0])


def baseline_of(uri: str, state: str) -> Manifest | None:
    """The version that `registry_state` spoke of; `None` where nothing was served.

    Raises:
        UnknownVersionError: it is gone, or another model has its number.
    """
    version = served_in(state)
    if version is None:
        return None
    manifest = Registry(uri).manifest(version)
    if _state_of(manifest) != state:
        raise UnknownVersionError(
            f"version {manifest.version} of the registry {uri} is not the one that was served when the run began: "
            "run again"
        )
    return manifest


def holdings_state(uri: str) -> str:
    """Changes whenever the registry gains or loses a version, and not when another version is served.

    A push that TFX remembers needs no repetition while the registry is in this state.  After a loss the state must not
    be one that the registry had before it gained what it lost.  So versions are told apart by the time of their making,
    versions that were served and are gone count too, and an empty registry has a new state each time it is asked:
    nothing in it tells whether it ever held anything.  (A registry that is put back from an older copy, all of it, is
    beyond this; a push that is remembered from after that copy is not repeated.)
    """
    registry = Registry(uri)
    versions = registry.versions()
    if not versions:
        return f"empty:{uuid.uuid4().hex}"
    held = [f"{m.version}:{m.content_hash}:{m.created.isoformat()}" for m in versions]
    lost = [str(number) for number in sorted(set(registry.ever_served()) - {m.version for m in versions})]
    return hashlib.sha256("\n".join((*held, "lost", *lost)).encode()).hexdigest()


def _state_of(manifest: Manifest) -> str:
    return f"{manifest.version}:{manifest.content_hash}"
