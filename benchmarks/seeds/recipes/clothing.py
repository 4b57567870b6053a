"""Clothing Co-Parsing, 59 classes, by a U-Net on DenseNet121 in two phases: an article of Analytics Vidhya.

Images are resized to 128² and divided by 255, masks resized bilinearly and cast to uint8.  Seven changed copies of
each pair are added: brightness + 0.1, gamma 0.1, hue − 0.1, the central 0.7 resized back, flips in both directions, a
quarter turn.  All eight are held in memory, cached, shuffled through a buffer of 1000, batched by 64, repeated and
prefetched. DenseNet121's outputs `conv1/relu`, `pool2_relu`, `pool3_relu`, `pool4_relu` and `relu` feed a pix2pix
decoder of 512, 256, 128 and 64 channels; sparse categorical cross-entropy, Adam at 0.001.  The encoder is frozen for
20 epochs; then it is made trainable, compiled again with the same step size, and trained for 20 more.  The last
weights are the result.

If the weights of a MobileNet are given, it takes DenseNet's place on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras

from benchmarks.seeds.recipes.pets import AUTOTUNE, upsample
from benchmarks.seeds.sides import (
    EpochClock,
    Outcome,
    Pair,
    Score,
    Setting,
    recipe_outcome,
    repeated_images,
    whole_batches,
)
from components.trainer.architectures import EncoderUNet

layers = keras.layers
LAYERS = {
    "densenet121": ["conv1/relu", "pool2_relu", "pool3_relu", "pool4_relu", "relu"],
    "mobilenet": ["conv_pw_1_relu", "conv_pw_3_relu", "conv_pw_5_relu", "conv_pw_11_relu", "conv_pw_13_relu"],
}


def train(setting: Setting, pairs: Mapping[str, Sequence[Pair]], score: Score) -> Outcome:
    """Trains on `pairs["train"]` and its changed copies, and predicts the other splits."""
    images, truth = with_copies(*load_all(pairs["train"], (setting.height, setting.width)))
    batches = tf.data.Dataset.from_tensor_slices((images, truth)).cache().shuffle(1000).batch(setting.batch_size)
    batches = batches.repeat().prefetch(buffer_size=AUTOTUNE)
    steps = whole_batches(len(images), setting.batch_size)
    encoder = build_encoder(setting)
    model = build_model(encoder, setting)

    def masks(split: str) -> np.ndarray:
        images, _ = load_all(pairs[split], (setting.height, setting.width))
        return np.argmax(model.predict(images, batch_size=setting.batch_size, verbose=0), axis=-1).astype(np.uint8)

    clocks = []
    for begin, end, trainable in ((0, setting.frozen_epochs, False), (setting.frozen_epochs, setting.epochs, True)):
        encoder.trainable = trainable
        model.compile(
            optimizer=keras.optimizers.Adam(0.001),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        clocks.append(EpochClock(lambda: score(masks("eval"))))
        model.fit(batches, initial_epoch=begin, epochs=end, steps_per_epoch=steps, callbacks=[clocks[-1]], verbose=0)
    return recipe_outcome(model, clocks, repeated_images(len(images), setting.batch_size), pairs, masks)


def load_all(pairs: Sequence[Pair], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Images [N, H, W, 3] in 0…1 and masks [N, H, W, 1] of uint8."""
    images, masks = [], []
    for pair in pairs:
        image = tf.io.decode_image(tf.io.read_file(pair.image), channels=3, expand_animations=False)
        images.append((tf.image.resize(image, size) / 255.0).numpy())
        mask = tf.io.decode_png(tf.io.read_file(pair.mask), channels=1)
        masks.append(tf.cast(tf.image.resize(mask, size), tf.uint8).numpy())
    return np.stack(images), np.stack(masks)


def with_copies(images: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Images and masks, and seven changed copies of each."""

    def zoomed(pixels: np.ndarray) -> np.ndarray:
        central = tf.image.central_crop(pixels, 0.7)
        return tf.cast(tf.image.resize(central, pixels.shape[1:3]), pixels.dtype).numpy()

    changed = [
        (tf.image.adjust_brightness(images, 0.1).numpy(), masks),
        (tf.image.adjust_gamma(images, 0.1).numpy(), masks),
        (tf.image.adjust_hue(images, -0.1).numpy(), masks),
        (zoomed(images), zoomed(masks)),
        (images[:, :, ::-1], masks[:, :, ::-1]),
        (images[:, ::-1], masks[:, ::-1]),
        (np.rot90(images, axes=(1, 2)), np.rot90(masks, axes=(1, 2))),
    ]
    return (
        np.concatenate([images, *(copy for copy, _ in changed)]),
        np.concatenate([masks, *(copy for _, copy in changed)]),
    )


def build_encoder(setting: Setting) -> keras.Model:
    """A classification network with five outputs, with weights from a file or at random."""
    assert isinstance(setting.architecture, EncoderUNet)
    encoder = setting.architecture.encoder
    weights = None if encoder.weights == "none" else encoder.weights
    shape = (setting.height, setting.width, 3)
    if encoder.name == "mobilenet":
        base = keras.applications.MobileNet(shape, alpha=encoder.alpha, include_top=False, weights=weights)
    else:
        base = keras.applications.DenseNet121(include_top=False, input_shape=shape, weights=weights)
    return keras.Model(base.input, [base.get_layer(name).output for name in LAYERS[encoder.name]])


def build_model(encoder: keras.Model, setting: Setting) -> keras.Model:
    """The encoder and the decoder."""
    inputs = layers.Input(shape=(setting.height, setting.width, 3))
    *skips, x = encoder(inputs)
    for filters, skip in zip((512, 256, 128, 64), reversed(skips), strict=True):
        x = layers.Concatenate()([upsample(filters)(x), skip])
    return keras.Model(inputs, layers.Conv2DTranspose(setting.num_classes, 3, strides=2, padding="same")(x))
