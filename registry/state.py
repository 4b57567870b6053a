"""Cache keys derived from the registry.

TFX runs a step again when one of its parameters changes, but does not see changes of the registry.  So these states are
read before a run and passed to the steps as parameters.
"""

from __future__ import annotations

import hashlib
import uuid

from registry.errors import UnknownVersionError
from registry.manifest import Manifest
from registry.store import Registry

NOTHING_SERVED = "none"


def registry_state(uri: str) -> str:
    """Returns the served version with its content, `<version>:<content hash>`, or `none`: the baseline's cache key."""
    manifest = Registry(uri).served_manifest()
    return NOTHING_SERVED if manifest is None else _state_of(manifest)


def served_in(state: str) -> int | None:
    """Returns the version in a `registry_state`."""
    return None if state == NOTHING_SERVED else int(state.partition(":")[0])


def baseline_of(uri: str, state: str) -> Manifest | None:
    """Returns the manifest of the version in `registry_state`; `None` if no version was served.

    Raises:
        UnknownVersionError: the version is gone, or its number has another model.
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
    """Returns a digest that changes when the registry gains or loses a version, but not when another one is served.

    A push cached by TFX is valid while the registry has this digest.  After a version is lost, the digest must not
    equal that of an earlier inventory without it.  So versions are identified by their creation time, versions that
    were served and are gone count too, and an empty registry has a new digest each time, because it does not show
    whether it ever held a version.  (A registry that is restored as a whole from an older copy is not covered; a push
    cached after that copy is not repeated.)
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
