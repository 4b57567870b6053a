"""Parses a curated schema without TFX."""

from __future__ import annotations

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from common.errors import UserError


def parse_schema(text: str) -> schema_pb2.Schema:
    """Parses the schema in `text`.

    Raises:
        UserError: the text is not a valid schema; the message names the line.
    """
    try:
        return text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise UserError(f"the schema cannot be read, at line:column {' '.join(str(error).split())}") from None
