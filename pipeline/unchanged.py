"""Whether a run has anything to do: `when_unchanged` of the configuration."""

from __future__ import annotations

import json
from typing import Any

from pipeline.config import RunConfig
from pipeline.parameters import run_config
from registry.manifest import Manifest

_NO_PART_OF_THE_RECIPE = {"workspace", "registry", "report", "when_unchanged"}
"""Keys of a manifest's configuration that say where a run lies or how it is told, not what is made."""


def needs_training(config: RunConfig, fingerprint: str, manifest: Manifest | None) -> bool:
    """Whether a training could give another model than the one that is served.

    It could not if the served model was made of the same data by the same configuration.  Code is not compared: who
    changed it asks for a run with `when_unchanged: run`.

    Args:
        config: The configuration of this run.
        fingerprint: Of the data as it is now.
        manifest: Of the served version; `None` where nothing is served.
    """
    if manifest is None or manifest.data_fingerprint != fingerprint:
        return True
    return _recipe(json.loads(run_config(config))) != _recipe(manifest.config)


def _recipe(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in _NO_PART_OF_THE_RECIPE}
