"""A cross-validation from its compiled YAML alone, a pod a step, by the rules written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.run_config import load_config
from pipeline.kubeflow.compile.compiler import compile_pipeline
from registry.store import Registry
from tests.kubeflow.installation import BY_HAND, backend
from tests.kubeflow.pods import isolation
from tests.kubeflow.store import COMPLETE
from tests.support.tiny import segpipe, write_use_case

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(isolation() is None, reason="pods need mount namespaces, or a / that can be written"),
]

OVERRIDES = [
    "workspace=null",
    "data.source.root=data",
    "data.split.folds=2",
    "registry=registry",
    "trainer.epochs=4",
    "report.scored=0",
    "evaluator.thresholds=[{metric: mean_iou, at_least: 0.2}]",
    "kubeflow.steps={default: {retries: 0}}",
]


def test_the_folds_are_trained_averaged_and_pushed(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    config = write_use_case(volume)
    assert segpipe("schema", "infer", config).returncode == 0
    with backend(BY_HAND, tmp_path / "bucket", claims={"segpipe": volume}, secrets={}) as there:
        run = there.run(compile_pipeline(load_config(config, OVERRIDES)))
        assert run.succeeded, "\n".join(f"== {task.name}: {task.state}\n{task.log}" for task in run.tasks.values())
        assert {"trainer-fold-1", "trainer-fold-2", "cross-validator", "ensemble"} <= run.in_state(COMPLETE)
        assert "2 folds: mean IoU 0." in run.tasks["cross-validator"].last_line
        assert run.tasks["ensemble"].last_line == "exported the average of 2 models"
        assert run.tasks["registry-pusher"].last_line == "version 1 pushed and served"
    assert list((Path(Registry(str(volume / "registry")).uri) / "versions" / "1").rglob("ensemble.json"))
