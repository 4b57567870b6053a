"""Sets of records that are alike or differ in one way, measured once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from common.records import SPLITS
from components.data_gate.infer import infer_schema
from components.example_gen.quarantine import IngestionSummary
from tests.support.measured import CLASSES, USUAL, Look, make_records, measure_records

Statistics = statistics_pb2.DatasetFeatureStatisticsList
Measure = Callable[..., Statistics]


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measure:
    """Measures a set of `count` records of a look."""

    def measure(count: int, seed: int, look: Look = USUAL) -> Statistics:
        return measure_records(make_records(count, seed, look), tmp_path_factory.mktemp("measured"))

    return measure


@pytest.fixture(scope="session")
def train(measured: Measure) -> Statistics:
    return measured(120, seed=1)


@pytest.fixture(scope="session")
def alike(measured: Measure) -> Statistics:
    return measured(30, seed=2)


@pytest.fixture(scope="session")
def dark(measured: Measure) -> Statistics:
    """As many pictures as in `train`, with half the light."""
    return measured(120, seed=3, look=Look(light=0.5))


@pytest.fixture(scope="session")
def schema() -> schema_pb2.Schema:
    return infer_schema(CLASSES, {"stain": ["blue"]})


@pytest.fixture
def summary() -> IngestionSummary:
    return IngestionSummary(
        data_fingerprint="f00d",
        classes=CLASSES,
        found=200,
        used={"train": 120, "eval": 40, "test": 30},
        quarantined={"missing_mask": 7, "unreadable": 3},
        class_pixels=dict.fromkeys(SPLITS, (900, 90, 10)),
        class_pictures={"train": (120, 120, 60), "eval": (40, 40, 9), "test": (30, 30, 3)},
        void_pixels=dict.fromkeys(SPLITS, 0),
    )
