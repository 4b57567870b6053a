"""Writes the curated schema to where TFX's other steps read it."""

from __future__ import annotations

import os
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.errors import UserError

SCHEMA_FILE = "schema.pbtxt"


class Executor(base_executor.BaseExecutor):
    """Parses the schema, so that a broken one stops the run here, and writes it."""

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
            UserError: the text is no schema; names the line.
        """
        del input_dict
        schema = parse_schema(exec_properties["schema_text"])
        uri = artifact_utils.get_single_uri(output_dict["schema"])
        io_utils.write_pbtxt_file(os.path.join(uri, SCHEMA_FILE), schema)


def parse_schema(text: str) -> schema_pb2.Schema:
    """The schema that `text` describes.

    Raises:
        UserError: it describes none; names the line.
    """
    try:
        return text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise UserError(f"the schema cannot be read, at line:column {' '.join(str(error).split())}") from None
