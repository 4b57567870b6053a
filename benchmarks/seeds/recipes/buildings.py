"""Building footprints in aerial images by a plain U-Net: an answer on training with custom data in TensorFlow 2.8.

Images are decoded and brought to [0, 1], resized to 256² as their masks are by nearest neighbour, batched by 32 and
prefetched; then batches are shuffled through a buffer of 100, after the prefetch and so in the order of whole batches
only.  U-Net of 64, 128, 256, 512 and 1024 channels, each block twice a convolution of 3×3, batch normalisation and
ReLU; transposed convolutions of 2×2; a sigmoid.  Binary cross-entropy, Adam at 0.001, 10 epochs.  The last weights
are the result.  Rotations, flips, crops and class weights are recommended by the answer, and not in its code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras

from benchmarks.seeds.sides import EpochClock, Outcome, Pair, Score, Setting, recipe_outcome
from components.trainer.architectures import UNet

layers = keras.layers
AUTOTUNE = tf.data.AUTOTUNE


def train(setting: Setting, pairs: Mapping[str, Sequence[Pair]], score: Score) -> Outcome:
    """Trains on `pairs["train"]` and predicts the other splits."""
    assert isinstance(setting.architecture, UNet)
    model = unet(setting, setting.architecture.width, setting.architecture.depth)
    model.compile(optimizer=keras.optimizers.Adam(0.001), loss="binary_crossentropy", metrics=["accuracy"])

    def masks(split: str) -> np.ndarray:
        probability = model.predict(batched(pairs[split], setting), verbose=0)
        return (probability[..., 0] > 0.5).astype(np.uint8)

    clock = EpochClock(lambda: score(masks("eval")))
    batches = batched(pairs["train"], setting).prefetch(AUTOTUNE).shuffle(100)
    model.fit(batches, epochs=setting.epochs, callbacks=[clock], verbose=0)
    return recipe_outcome(model, [clock], len(pairs["train"]), pairs, masks)


def batched(pairs: Sequence[Pair], setting: Setting) -> tf.data.Dataset:
    """Batches of images in 0…1 and masks [B, H, W, 1] of 0 and 1."""

    def load(image_file: tf.Tensor, mask_file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.io.decode_image(tf.io.read_file(image_file), channels=3, expand_animations=False)
        mask = tf.io.decode_png(tf.io.read_file(mask_file), channels=1)
        image = tf.image.convert_image_dtype(image, tf.float32)
        return tf.ensure_shape(image, [None, None, 3]), tf.cast(mask, tf.float32)

    def resize(image: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        size = (setting.height, setting.width)
        return tf.image.resize(image, size), tf.image.resize(mask, size, method="nearest")

    files = tf.data.Dataset.from_tensor_slices(([pair.image for pair in pairs], [pair.mask for pair in pairs]))
    return files.map(load, num_parallel_calls=AUTOTUNE).map(resize).batch(setting.batch_size)


def unet(setting: Setting, width: int, depth: int) -> keras.Model:
    """64…1024 with a width of 64 and a depth of 4."""

    def two_convolutions(x: tf.Tensor, channels: int) -> tf.Tensor:
        for _ in range(2):
            x = layers.Conv2D(channels, 3, padding="same")(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        return x

    inputs = keras.Input((setting.height, setting.width, 3))
    x, skips = inputs, []
    for level in range(depth):
        x = two_convolutions(x, width * 2**level)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = two_convolutions(x, width * 2**depth)
    for level in reversed(range(depth)):
        x = layers.Conv2DTranspose(width * 2**level, 2, strides=2, padding="same")(x)
        x = layers.concatenate([x, skips[level]])
        x = two_convolutions(x, width * 2**level)
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))
