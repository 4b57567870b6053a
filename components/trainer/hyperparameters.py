"""What a search may choose in place of the configuration: names, values, and how they are put in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.trainer.architectures import FCN8, Architecture, DeepLabV3Plus, EncoderUNet, UNet
from components.trainer.augmentation.strength import with_strength
from components.trainer.config import TrainerConfig
from components.trainer.losses.config import LossTerm

LEARNING_RATE = "learning_rate"
LOSS = "loss"
WIDTH = "width"
AUGMENTATION = "augmentation"

Values = Mapping[str, float | int | str]
"""Name → value; what is not named stays as it is configured."""


def with_hyperparameters(config: TrainerConfig, values: Values) -> TrainerConfig:
    """The training with `values` in place of what it is configured to.

    Raises:
        ValidationError: a value is not one that the configuration would take.
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
    """The values in the configuration of `keras_tuner.HyperParameters` that TFX hands on; Hyperband's own left out."""
    names = (LEARNING_RATE, LOSS, WIDTH, AUGMENTATION)
    values = (hyperparameters or {}).get("values", {})
    return {name: values[name] for name in names if name in values}


def loss_text(terms: Sequence[LossTerm]) -> str:
    """A loss as KerasTuner can choose it: the terms as JSON, a name alone where a term has its defaults."""
    return json.dumps([term.type if term == type(term)() else term.model_dump() for term in terms])


def described(values: Values) -> str:
    """For a person: `learning_rate 0.0021, loss cross_entropy + dice, width 32`."""
    return ", ".join(f"{name} {_shown(name, value)}" for name, value in values.items())


def _of_width(model: Architecture, width: int) -> dict[str, Any]:
    """What makes `model` so wide: U-Net at the top, on an encoder at the first level up, FCN-8 in its head."""
    match model:
        case UNet() | DeepLabV3Plus():
            return {"width": width}
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
