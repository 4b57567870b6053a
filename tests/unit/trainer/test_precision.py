"""What a network computes in, where the configuration leaves it to the machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tensorflow as tf

from components.trainer import precision
from components.trainer.precision import has_matrix_units, precision_here


@pytest.fixture
def amx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nflags\t\t: fpu avx512f amx_bf16 amx_tile\n")
    monkeypatch.setattr(precision, "has_matrix_units", lambda: has_matrix_units(file))


def test_a_precision_that_is_named_is_taken(amx: None) -> None:
    assert precision_here("float32") == "float32"
    assert precision_here("mixed_float16") == "mixed_float16"


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_a_processor_with_matrix_units_computes_in_bfloat16(amx: None) -> None:
    assert precision_here("auto") == "mixed_bfloat16"


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_several_workers_on_processors_compute_in_float32(amx: None, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(workers))
    assert precision_here("auto") == "float32"


@pytest.mark.parametrize("text", ["flags : fpu avx512f avx512_bf16\n", "Features : fp asimd bf16\n", ""])
def test_other_processors_do_not(tmp_path: Path, text: str) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    assert not has_matrix_units(file)


def test_nor_do_systems_that_do_not_say(tmp_path: Path) -> None:
    assert not has_matrix_units(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("capability", "chosen"), [((7, 5), "float32"), ((8, 0), "mixed_bfloat16"), ((9, 0), "mixed_bfloat16")]
)
def test_a_gpu_is_asked_for_its_capability(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], chosen: str
) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": capability})
    assert precision_here("auto") == chosen
