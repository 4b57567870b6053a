"""The schema of records with folds."""

from __future__ import annotations

from pathlib import Path

from common.records import FOLD
from components.schema_importer.parsing import parse_schema
from pipeline.dag.schema_file import read_schema, with_folds

SCHEMA = Path("schemas/sample.pbtxt")


def test_records_with_folds_have_one_more_feature() -> None:
    text = read_schema(SCHEMA)
    assert with_folds(text, None) == text
    before, after = parse_schema(text), parse_schema(with_folds(text, 3))
    (added,) = [feature for feature in after.feature if feature not in before.feature]
    assert (added.name, added.int_domain.min, added.int_domain.max) == (FOLD, 0, 3)
