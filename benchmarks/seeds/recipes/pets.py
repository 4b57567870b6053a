"""Oxford-IIIT Pet by a U-Net on MobileNetV2: tensorflow.org's tutorial on image segmentation.

Images are resized to 128² and divided by 255, masks resized by nearest neighbour; the dataset is cached, shuffled
through a buffer of 1000, batched by 64, repeated, flipped by Keras' random layers with one seed for both, and
prefetched. The encoder is a frozen MobileNetV2 with five outputs; the decoder is pix2pix', 512, 256, 128 and 64
channels, each level a transposed convolution, batch normalisation and ReLU; logits, sparse categorical cross-entropy,
Adam at 0.001, 20 epochs of whole batches.  The last weights are the result.  The weights 2, 2, 1 of the classes are
optional there.

Whether the encoder begins with ImageNet's weights is the same on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras

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

layers = keras.layers
AUTOTUNE = tf.data.AUTOTUNE
SKIPS = ["block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu"]
BOTTOM = "block_16_project"


def train(setting: Setting, pairs: Mapping[str, Sequence[Pair]], score: Score) -> Outcome:
    """Trains on `pairs["train"]` and predicts the other splits."""
    size = (setting.height, setting.width)
    images = dataset(pairs["train"], size)
    batches = (
        images.cache().shuffle(1000).batch(setting.batch_size).repeat().map(Augment()).prefetch(buffer_size=AUTOTUNE)
    )
    model = unet_model(setting)
    model.compile(
        optimizer=keras.optimizers.Adam(0.001),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )

    def masks(split: str) -> np.ndarray:
        logits = model.predict(dataset(pairs[split], size).batch(setting.batch_size), verbose=0)
        return np.argmax(logits, axis=-1).astype(np.uint8)

    clock = EpochClock(lambda: score(masks("eval")))
    count, batch = len(pairs["train"]), setting.batch_size
    steps = whole_batches(count, batch)
    model.fit(batches, epochs=setting.epochs, steps_per_epoch=steps, callbacks=[clock], verbose=0)
    return recipe_outcome(model, [clock], repeated_images(count, batch), pairs, masks)


def dataset(pairs: Sequence[Pair], size: tuple[int, int]) -> tf.data.Dataset:
    """Images in 0…1 and masks, one by one."""

    def load(image_file: tf.Tensor, mask_file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.io.decode_image(tf.io.read_file(image_file), channels=3, expand_animations=False)
        mask = tf.io.decode_png(tf.io.read_file(mask_file), channels=1)
        image = tf.image.resize(tf.ensure_shape(image, [None, None, 3]), size)
        return image / 255.0, tf.image.resize(mask, size, method="nearest")

    files = tf.data.Dataset.from_tensor_slices(([pair.image for pair in pairs], [pair.mask for pair in pairs]))
    return files.map(load, num_parallel_calls=AUTOTUNE)


class Augment(keras.layers.Layer):
    """Flips images and masks alike."""

    def __init__(self, seed: int = 42) -> None:
        super().__init__()
        self.augment_inputs = layers.RandomFlip(mode="horizontal", seed=seed)
        self.augment_labels = layers.RandomFlip(mode="horizontal", seed=seed)

    def call(self, inputs: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns a batch of both."""
        return self.augment_inputs(inputs), self.augment_labels(labels)


def upsample(filters: int) -> keras.Sequential:
    """A level of pix2pix' decoder, without dropout."""
    return keras.Sequential(
        [
            layers.Conv2DTranspose(
                filters,
                3,
                strides=2,
                padding="same",
                kernel_initializer=keras.initializers.RandomNormal(0.0, 0.02),
                use_bias=False,
            ),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]
    )


def unet_model(setting: Setting) -> keras.Model:
    """The frozen encoder and the decoder."""
    shape = (setting.height, setting.width, 3)
    base_model = keras.applications.MobileNetV2(input_shape=shape, include_top=False, weights=None)
    outputs = [base_model.get_layer(name).output for name in (*SKIPS, BOTTOM)]
    down_stack = keras.Model(inputs=base_model.input, outputs=outputs)
    down_stack.trainable = False
    inputs = layers.Input(shape=shape)
    *skips, x = down_stack(inputs)
    for filters, skip in zip((512, 256, 128, 64), reversed(skips), strict=True):
        x = layers.Concatenate()([upsample(filters)(x), skip])
    last = layers.Conv2DTranspose(setting.num_classes, 3, strides=2, padding="same")
    return keras.Model(inputs=inputs, outputs=last(x))
