"""Executor of the Trainer of one fold of cross-validation."""

from __future__ import annotations

import gc
import json
from typing import Any

import tf_keras as keras
from tfx import types
from tfx.components.trainer import executor
from tfx.types import standard_component_specs

from components import component_keys as keys


class FoldExecutor(executor.GenericExecutor):
    """Runs TFX's executor of the Trainer with the fold as an entry of `custom_config`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As in `FoldTrainer`.

        Raises:
            UserError: see `components.trainer.training.train`.
        """
        keras.backend.clear_session()  # Of the previous fold, if it was trained in this process.
        gc.collect()
        settings = json.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        settings[keys.FOLD] = int(exec_properties[keys.FOLD])
        custom_config = json.dumps(settings, sort_keys=True)
        super().Do(
            input_dict, output_dict, {**exec_properties, standard_component_specs.CUSTOM_CONFIG_KEY: custom_config}
        )
