"""The architectures: each maps images [B, H, W, C] to logits [B, H, W, K]."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tf_keras as keras

from components.trainer.architectures import FCN8, FPN, Architecture, DeepLabV3Plus, EncoderUNet, SegFormer, UNet
from components.trainer.models.deeplab import deeplabv3plus
from components.trainer.models.encoder_unet import encoder_unet
from components.trainer.models.encoders import check_encoder, encoder_of
from components.trainer.models.fcn8 import fcn8
from components.trainer.models.fpn import fpn
from components.trainer.models.segformer import segformer
from components.trainer.models.unet import unet
from components.transform.config import TransformConfig

__all__ = ["build_model", "check_encoder", "encoder_of", "num_logits"]


_IMAGENET_MEAN, _IMAGENET_STD = 118.0, 58.0
"""Of ImageNet's pixels over all channels: images normalised by their own statistics reach an encoder with these."""


def num_logits(num_classes: int) -> int:
    """Channels of the head: one logit under a sigmoid for two classes, one a class under a softmax beyond."""
    return 1 if num_classes == 2 else num_classes


def build_model(
    config: Architecture, transform: TransformConfig, num_classes: int, mean_C: np.ndarray, std_C: np.ndarray
) -> keras.Model:
    """Returns the configured model, with its input scaling in front.

    Args:
        config: The architecture.
        transform: Size and normalisation of the input; an encoder scales its input itself.
        num_classes: Number of classes.
        mean_C: Mean of each channel over the training images, in 0…255; C is the number of channels.
        std_C: Standard deviation likewise.

    Returns:
        A model from images [B, H, W, C] in 0…255, or normalised by their own statistics, to logits [B, H, W, K], K as
        in `num_logits`.  `encoder_of` finds its encoder.

    Raises:
        UserError: the encoder's initial weights cannot be loaded, or do not fit.
    """
    image_BHWC = keras.Input([transform.height, transform.width, len(mean_C)], name="image")
    scaled = _scaled(image_BHWC, config, transform.normalize, mean_C, std_C)
    logits_BHWK = _logits(scaled, config, num_logits(num_classes))
    return keras.Model(image_BHWC, keras.layers.Activation("linear", dtype="float32", name="logits")(logits_BHWK))


def _logits(image_BHWC: tf.Tensor, config: Architecture, num_outputs: int) -> tf.Tensor:
    if isinstance(config, UNet):
        return unet(image_BHWC, config, num_outputs)
    if isinstance(config, EncoderUNet):
        return encoder_unet(image_BHWC, config, num_outputs)
    if isinstance(config, FCN8):
        return fcn8(image_BHWC, config, num_outputs)
    if isinstance(config, FPN):
        return fpn(image_BHWC, config, num_outputs)
    if isinstance(config, SegFormer):
        return segformer(image_BHWC, config, num_outputs)
    assert isinstance(config, DeepLabV3Plus)
    return deeplabv3plus(image_BHWC, config, num_outputs)


def _scaled(
    image_BHWC: tf.Tensor, config: Architecture, normalize: str, mean_C: np.ndarray, std_C: np.ndarray
) -> tf.Tensor:
    if not config.encoder:
        return _scaling(normalize, mean_C, std_C)(image_BHWC)
    if normalize == "picture":
        return keras.layers.Rescaling(_IMAGENET_STD, _IMAGENET_MEAN, name="as_imagenet")(image_BHWC)
    return image_BHWC


def _scaling(normalize: str, mean_C: np.ndarray, std_C: np.ndarray) -> keras.layers.Layer:
    if normalize == "channel":
        return keras.layers.Rescaling((1.0 / std_C).tolist(), (-mean_C / std_C).tolist(), name="scaling")
    return keras.layers.Rescaling(1.0 / 255.0 if normalize == "unit" else 1.0, name="scaling")
