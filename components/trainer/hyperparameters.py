"""Hyperparameters of a search: names, values, and how they replace the configuration's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.trainer.architectures import FCN8, FPN, Architecture, DeepLabV3Plus, EncoderUNet, SegFormer, UNet
from components.trainer.augmentation.strength import with_strength
from components.trainer.config import TrainerConfig
from components.trainer.losses.config import LossTerm

LEARNING_RATE = "learning_rate"
LOSS = "loss"
WIDTH = "width"
AUGMENTATION = "augmentation"

Values = Mapping[str, float | int | str]
"""Name → value; other settings stay as configured."""


def with_hyperparameters(config: TrainerConfig, values: Values) -> TrainerConfig:
    """Returns the training configuration with `values` applied.

    Raises:
        ValidationError: the configuration does not allow a value.
    """
    changes: dict[str, Any] = {}
    if LEARNING_RATE in values:
        changes["learning_rate"] = values[LEARNING_RATE]
    if LOSS in values:
        changes["loss"] = json.loads(str(values[LOSS]))
    if WIDTH in values:
        changes["model"] = config.model.model_dump() | _of_width(config.model, int(values[WIDTH]))
    if AUGMENTATION in values:
        changes["augmentation"] = with_strength(config.augmentation, float(values[AUGMENTATION])).model_dump()
    return TrainerConfig.model_validate(config.model_dump() | changes) if changes else config


def searched(hyperparameters: Mapping[str, Any] | None) -> Values:
    """Returns the values in the `keras_tuner.HyperParameters` configuration from TFX, without Hyperband's own."""
    names = (LEARNING_RATE, LOSS, WIDTH, AUGMENTATION)
    values = (hyperparameters or {}).get("values", {})
    return {name: values[name] for name in names if name in values}


def loss_text(terms: Sequence[LossTerm]) -> str:
    """Encodes a loss as a choice of KerasTuner: the terms as JSON, a name alone for a term with defaults."""
    return json.dumps([term.type if term == type(term)() else term.model_dump() for term in terms])


def described(values: Values) -> str:
    """Formats the values: `learning_rate 0.0021, loss cross_entropy + dice, width 32`."""
    return ", ".join(f"{name} {_shown(name, value)}" for name, value in values.items())


def _of_width(model: Architecture, width: int) -> dict[str, Any]:
    """Returns the fields that set the width of `model`: U-Net's top level, the first decoder level, or FCN-8's head."""
    match model:
        case UNet() | DeepLabV3Plus() | FPN():
            return {"width": width}
        case SegFormer():
            return {"decoder_width": width}
        case FCN8():
            return {"head_width": width}
        case EncoderUNet(widths=widths):
            return {"widths": tuple(max(1, round(level * width / widths[0])) for level in widths)}


def _shown(name: str, value: float | int | str) -> str:
    if name == LOSS:
        terms = json.loads(str(value))
        return " + ".join(term if isinstance(term, str) else _shown_term(**term) for term in terms)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _shown_term(type: str, **settings: object) -> str:
    return f"{type}({', '.join(f'{name} {value}' for name, value in settings.items())})"
