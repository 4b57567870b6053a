"""Declaration of the step `SchemaImporter`."""

from __future__ import annotations

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components import component_keys as keys
from components.schema_importer.executor import Executor


class SchemaImporterSpec(component_spec.ComponentSpec):
    """Output and parameters of `SchemaImporter`."""

    PARAMETERS: ClassVar = {
        keys.SCHEMA_TEXT: component_spec.ExecutionParameter(type=str),
        keys.CODE: component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar[dict[str, component_spec.ChannelParameter]] = {}
    OUTPUTS: ClassVar = {keys.SCHEMA: component_spec.ChannelParameter(type=standard_artifacts.Schema)}


class SchemaImporter(base_component.BaseComponent):
    """Imports the curated schema into the run, by its content.

    TFX's `ImportSchemaGen` takes a path instead, and its cached output outlives an edit of the file; on a cluster the
    path would have to exist in the step's container as well.

    ```python
    schema = SchemaImporter(schema_text=pathlib.Path("schemas/nuclei.pbtxt").read_text())
    ```

    Component `outputs` contains:

    - `schema`: `standard_artifacts.Schema` with `schema.pbtxt`.
    """

    SPEC_CLASS = SchemaImporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, schema_text: str, code: str = "") -> None:
        """Declares the step.

        Args:
            schema_text: the schema, as protobuf text.
            code: Digest of the step's code; a different one invalidates the cache.
        """
        super().__init__(
            SchemaImporterSpec(schema_text=schema_text, code=code, schema=types.Channel(type=standard_artifacts.Schema))
        )
