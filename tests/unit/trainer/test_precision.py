"""What a network computes in, where the configuration leaves it to the machine."""

from __future__ import annotations

import pytest
import tensorflow as tf

from components.trainer.precision import precision_here


def gpus_of(capabilities: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: capabilities)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": gpu})


@pytest.mark.parametrize("named", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_a_precision_that_is_named_is_taken(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus_of([(7, 5)], monkeypatch)
    assert precision_here(named) == named  # type: ignore[arg-type]


def test_a_processor_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus_of([], monkeypatch)
    assert precision_here("auto") == "float32"


@pytest.mark.parametrize(
    ("capabilities", "chosen"),
    [
        ([(7, 5)], "float32"),
        ([(8, 0)], "mixed_bfloat16"),
        ([(9, 0), (9, 0)], "mixed_bfloat16"),
        ([(9, 0), (7, 0)], "float32"),
    ],
)
def test_gpus_are_asked_for_their_capability(
    capabilities: list[tuple[int, int]], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus_of(capabilities, monkeypatch)
    assert precision_here("auto") == chosen
