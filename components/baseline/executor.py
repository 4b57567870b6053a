"""Executor of the step `Baseline`."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from common import progress
from components import component_keys as keys
from components.baseline.fetching import fetch_baseline


class Executor(base_executor.BaseExecutor):
    """Copies the version that was served when the run began into the artifact."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As in `Baseline`.

        Raises:
            UserError: the version is gone or damaged.
        """
        model = artifact_utils.get_single_instance(output_dict[keys.MODEL])
        manifest = fetch_baseline(
            exec_properties[keys.REGISTRY],
            exec_properties[keys.REGISTRY_STATE],
            model.uri,
            path_utils.serving_model_dir(model.uri),
        )
        model.set_string_custom_property("version", str(manifest.version) if manifest else "")
        model.set_string_custom_property("content_hash", manifest.content_hash if manifest else "")
        progress.report(f"baseline: version {manifest.version}" if manifest else "no baseline: nothing is served yet")
