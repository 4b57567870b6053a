"""The configuration in TensorBoard's HParams tab."""

from __future__ import annotations

from components.trainer.config import TrainerConfig
from components.trainer.tensorboard.hyperparameters import hyperparameters


def test_every_key_is_a_number_a_truth_value_or_a_text() -> None:
    config = TrainerConfig.model_validate(
        {"loss": ["cross_entropy", {"type": "dice", "factor": 0.5}], "augmentation": {"crop": {"scale": [0.5, 1]}}}
    )
    values = hyperparameters(config)
    assert values["batch_size"] == 16 and values["xla"] is False and values["model.type"] == "encoder_unet"
    assert values["augmentation.crop.scale"] == "0.5, 1.0" and values["augmentation.hue"] == "none"
    assert "dice" in str(values["loss"]) and "factor=0.5" in str(values["loss"])
    assert all(isinstance(value, bool | int | float | str) for value in values.values())
