"""What is compiled, byte for byte; the same files hold for both sets of TFX.

A change on purpose renews them: `SEGPIPE_RENEW_GOLDEN=1 python -m pytest tests/kubeflow/test_golden.py`; then read the
difference as you would read code.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.config.run_config import load_config
from pipeline.kubeflow.compile.compiler import compile_pipeline
from tests.support.compiled_pipelines import EVERYTHING, FOLDS, compiled

GOLDEN = Path("tests/kubeflow/golden")
RENEW = "SEGPIPE_RENEW_GOLDEN"
SAMPLE = Path("pipeline/configs/sample.yaml")


@pytest.mark.parametrize("config", [SAMPLE, EVERYTHING, FOLDS], ids=lambda path: path.stem)
def test_the_compiled_pipeline_is_the_golden_one(config: Path) -> None:
    golden = GOLDEN / f"{config.stem}.yaml"
    if os.environ.get(RENEW):
        golden.write_text(compiled(config))
    assert compiled(config) == golden.read_text(), f"renew it with {RENEW}=1 if the change is meant"


def test_compiling_again_gives_the_same_bytes() -> None:
    config = load_config(SAMPLE)
    assert compile_pipeline(config) == compile_pipeline(config)


def test_no_path_of_this_machine_is_compiled_in() -> None:
    assert str(Path.cwd()) not in compiled(SAMPLE)
