"""The configuration of a training as TensorBoard's HParams tab shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.trainer.config import TrainerConfig

Value = bool | int | float | str


def hyperparameters(config: TrainerConfig) -> dict[str, Value]:
    """Returns every key of the configuration, such as `augmentation.crop.ratio`, with its value."""
    return dict(_flat("", config.model_dump(mode="json")))


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Value]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), part)
    elif isinstance(value, list):
        yield prefix, ", ".join(_word(part) for part in value)
    else:
        yield prefix, value if isinstance(value, bool | int | float) else _word(value)


def _word(value: Any) -> str:
    """`none` for what is not set; a section in a list as `cross_entropy` or `dice factor=0.5`."""
    if isinstance(value, Mapping):
        rest = [f"{key}={_word(part)}" for key, part in value.items() if key != "type"]
        return " ".join([str(value.get("type", "")), *rest]).strip()
    return "none" if value is None else str(value)
