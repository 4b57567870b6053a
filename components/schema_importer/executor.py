"""Executor of the step `SchemaImporter`."""

from __future__ import annotations

import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components import component_keys as keys
from components.schema_importer.parsing import parse_schema

SCHEMA_FILE = "schema.pbtxt"


class Executor(base_executor.BaseExecutor):
    """Parses the schema, so that an invalid one stops the run here, and writes it."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `schema.pbtxt`.

        Args:
            input_dict: nothing.
            output_dict: `schema`.
            exec_properties: `schema_text`.

        Raises:
            UserError: the text is not a valid schema; the message names the line.
        """
        del input_dict
        schema = parse_schema(exec_properties[keys.SCHEMA_TEXT])
        uri = artifact_utils.get_single_uri(output_dict[keys.SCHEMA])
        io_utils.write_pbtxt_file(os.path.join(uri, SCHEMA_FILE), schema)
