"""The step in a pipeline of TFX on this machine: it runs each time, and predicts what is new."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata, pipeline
from tfx.types import standard_artifacts

from components.batch_predictor.component import BatchPredictor
from components.batch_predictor.config import BatchPredictionConfig
from components.batch_predictor.entries import Counts
from components.pusher.result import PUSHED_FILE, PushResult
from pipeline.beam.arguments import BEAM_ARGUMENTS
from pipeline.dag.steps import BATCH_PREDICTOR, PUSHER
from pipeline.local.observed_runner import RunRecord, StepwiseRunner
from registry.store import Registry
from tests.unit.batch_predictor.conftest import write_image


def test_it_is_never_cached(masking: Registry, photos: Path, tmp_path: Path) -> None:
    result = PushResult(pushed=False, version=1, served=1, registry=masking.uri, note="")
    (tmp_path / "pushed").mkdir()
    (tmp_path / "pushed" / PUSHED_FILE).write_text(result.model_dump_json())
    connection = metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))
    record = RunRecord(connection, "tiny")

    def run() -> Counts:
        pushed = Importer(str(tmp_path / "pushed"), standard_artifacts.PushedModel).with_id(PUSHER.component)
        config = BatchPredictionConfig.model_validate(
            {"source": {"root": str(photos)}, "out": str(tmp_path / "out" / "{version}")}
        )
        step = BatchPredictor(pushed_model=pushed.outputs["result"], config=config, registry=masking.uri)
        StepwiseRunner(lambda node: nullcontext()).run(
            pipeline.Pipeline(
                "tiny",
                str(tmp_path / "artifacts"),
                components=[pushed, step],
                enable_cache=True,
                metadata_connection_config=connection,
                beam_pipeline_args=list(BEAM_ARGUMENTS),
            )
        )
        assert not record.was_cached(BATCH_PREDICTOR.component)
        folder = Path(record.outputs(BATCH_PREDICTOR.component)["predictions"])
        return Counts.model_validate_json((folder / "summary.json").read_text())

    first = run()
    assert (first.predicted, first.kept, first.rejected) == (4, 0, 1)
    write_image(photos / "new.png")
    second = run()
    assert (second.predicted, second.kept, second.rejected) == (1, 4, 1)
