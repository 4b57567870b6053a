"""The attention gate of Oktay et al., "Attention U-Net: Learning Where to Look for the Pancreas" (2018)."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from components.trainer.models.blocks import enlarged

layers = keras.layers


def attention_gate(skip: tf.Tensor, gate: tf.Tensor, name: str) -> tf.Tensor:
    """Returns `skip` times a weight from 0 to 1 for each pixel, which follows from `skip` and `gate`.

    Args:
        skip: Features of a skip connection.
        gate: Features of the decoder at twice the stride, the gating signal.
        name: Prefix of the layers' names.
    """
    inner = max(1, skip.shape[-1] // 2)
    theta = layers.Conv2D(inner, 2, strides=2, use_bias=False, kernel_initializer="he_normal", name=f"{name}_theta")
    phi = layers.Conv2D(inner, 1, kernel_initializer="he_normal", name=f"{name}_phi")
    together = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([theta(skip), phi(gate)]))
    weight = layers.Conv2D(1, 1, activation="sigmoid", name=f"{name}_psi")(together)
    return layers.Multiply(name=f"{name}_apply")([skip, enlarged(weight, 2, f"{name}_grow")])
