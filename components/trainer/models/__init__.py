"""The architectures: each maps uint8 pictures [B, H, W, 3] to logits [B, H, W, K]."""

from __future__ import annotations

import numpy as np
import tf_keras as keras

from components.trainer.config import UNet
from components.trainer.models.unet import unet
from components.transform.config import TransformConfig


def num_logits(num_classes: int) -> int:
    """Channels of the head: one logit under a sigmoid for two classes, one a class under a softmax beyond."""
    return 1 if num_classes == 2 else num_classes


def build_model(
    config: UNet, transform: TransformConfig, num_classes: int, mean_3: np.ndarray, std_3: np.ndarray
) -> keras.Model:
    """The model that the configuration asks for, with its input scaling in front.

    Args:
        config: The architecture.
        transform: Size and normalisation of the input.
        num_classes: C.
        mean_3: Mean of each channel over the training pictures, in 0…255.
        std_3: Standard deviation likewise.

    Returns:
        A model from pictures [B, H, W, 3] in 0…255 to logits [B, H, W, K], K as in `num_logits`.
    """
    image_BHWC = keras.Input([transform.height, transform.width, 3], name="image")
    scaled = _scaling(transform.normalize, mean_3, std_3)(image_BHWC)
    logits_BHWK = unet(scaled, config, num_logits(num_classes))
    return keras.Model(image_BHWC, keras.layers.Activation("linear", dtype="float32", name="logits")(logits_BHWK))


def encoder_of(model: keras.Model) -> keras.Model | None:
    """The encoder that the model stands on, if it does: the model in it that has this name."""
    nested = (layer for layer in model.layers if isinstance(layer, keras.Model))
    return next((layer for layer in nested if layer.name == "encoder"), None)


def _scaling(normalize: str, mean_3: np.ndarray, std_3: np.ndarray) -> keras.layers.Layer:
    if normalize == "channel":
        return keras.layers.Rescaling((1.0 / std_3).tolist(), (-mean_3 / std_3).tolist(), name="scaling")
    return keras.layers.Rescaling(1.0 / 255.0 if normalize == "unit" else 1.0, name="scaling")
