"""The curated schema, brought into the run by its content."""

from __future__ import annotations

from pathlib import Path

import pytest
from tfx.types import standard_artifacts
from tfx.utils import io_utils

from common.errors import UserError
from components.schema_importer.executor import Executor, parse_schema


@pytest.mark.parametrize("path", sorted(Path("schemas").glob("*.pbtxt")), ids=lambda path: path.stem)
def test_every_curated_schema_arrives_as_it_is(path: Path, tmp_path: Path) -> None:
    artifact = standard_artifacts.Schema()
    artifact.uri = str(tmp_path)
    Executor().Do({}, {"schema": [artifact]}, {"schema_text": path.read_text()})
    written = io_utils.SchemaReader().read(str(tmp_path / "schema.pbtxt"))
    assert written == parse_schema(path.read_text())
    assert written.feature


def test_a_broken_schema_is_refused_with_its_line() -> None:
    with pytest.raises(UserError, match="at line:column 2:"):
        parse_schema('feature {\n  nmae: "image/width"\n}')
