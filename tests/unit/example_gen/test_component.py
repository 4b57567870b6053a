from __future__ import annotations

import subprocess
import sys

from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import standard_artifacts

from components.artifacts import Quarantine
from components.example_gen.component import ImageMaskExampleGen
from components.example_gen.config import DataConfig, FoldersSource

CONFIG = DataConfig(source=FoldersSource(root="data"), classes=("background", "thing")).model_dump_json()


def test_it_declares_examples_and_quarantine() -> None:
    component = ImageMaskExampleGen(data_config=CONFIG, seed=1, data_fingerprint="abc")
    assert component.outputs["examples"].type is standard_artifacts.Examples
    assert component.outputs["quarantine"].type is Quarantine
    assert component.exec_properties == {"data_config": CONFIG, "seed": 1, "data_fingerprint": "abc", "code": ""}


def test_its_parameters_may_be_known_at_run_time_only() -> None:
    parameter = RuntimeParameter(name="config", ptype=str)
    seed = RuntimeParameter(name="seed", ptype=int)
    component = ImageMaskExampleGen(data_config=parameter, seed=seed, data_fingerprint=parameter, code=parameter)
    assert component.exec_properties["data_config"] is parameter
    assert component.exec_properties["seed"] is seed


def test_config_and_quarantine_are_read_without_tensorflow() -> None:
    modules = "components.example_gen.config, components.example_gen.quarantine, components.example_gen.sources"
    program = f"import sys, {modules}; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
