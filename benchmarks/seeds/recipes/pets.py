"""Oxford-IIIT Pet by a U-Net on MobileNetV2: TensorFlow's tutorial on image segmentation.

tensorflow.org/tutorials/images/segmentation (github.com/tensorflow/docs, site/en/tutorials/images/segmentation.ipynb):
pictures are resized to 128² and divided by 255, masks resized by nearest neighbour; the dataset is cached, shuffled
through a buffer of 1000, batched by 64, mirrored by Keras' random layers with one seed for both, and prefetched.  The
encoder is a resting MobileNetV2 tapped at five layers; the decoder is pix2pix', 512, 256, 128 and 64 channels, each
level a transposed convolution, batch normalisation and ReLU; logits, sparse categorical cross-entropy, Adam, 20 epochs.
The last weights are the result.

Whether the encoder begins with ImageNet's weights is the same on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras

from benchmarks.seeds.sides import EpochSeconds, Outcome, Pair, Setting

layers = keras.layers
AUTOTUNE = tf.data.AUTOTUNE
SKIPS = ["block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu"]
BOTTOM = "block_16_project"


def train(setting: Setting, pairs: Mapping[str, Sequence[Pair]]) -> Outcome:
    """Trains on `pairs["train"]` and predicts the other splits."""
    size = (setting.height, setting.width)
    pictures = dataset(pairs["train"], size)
    batches = (
        pictures.cache().shuffle(1000).batch(setting.batch_size).repeat().map(Augment()).prefetch(buffer_size=AUTOTUNE)
    )
    model = unet_model(setting)
    model.compile(
        optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    clock = EpochSeconds()
    steps = math.ceil(len(pairs["train"]) / setting.batch_size)
    model.fit(batches, epochs=setting.epochs, steps_per_epoch=steps, callbacks=[clock], verbose=0)

    def masks(split: str) -> np.ndarray:
        logits = model.predict(dataset(pairs[split], size).batch(setting.batch_size), verbose=0)
        return np.argmax(logits, axis=-1).astype(np.uint8)

    return Outcome(model.count_params(), [clock.seconds], {split: masks(split) for split in pairs if split != "train"})


def dataset(pairs: Sequence[Pair], size: tuple[int, int]) -> tf.data.Dataset:
    """Pictures in 0…1 and masks, one by one."""

    def load(image_file: tf.Tensor, mask_file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.io.decode_image(tf.io.read_file(image_file), channels=3, expand_animations=False)
        mask = tf.io.decode_png(tf.io.read_file(mask_file), channels=1)
        image = tf.image.resize(tf.ensure_shape(image, [None, None, 3]), size)
        return image / 255.0, tf.image.resize(mask, size, method="nearest")

    files = tf.data.Dataset.from_tensor_slices(([pair.image for pair in pairs], [pair.mask for pair in pairs]))
    return files.map(load, num_parallel_calls=AUTOTUNE)


class Augment(layers.Layer):
    """Mirrors pictures and masks alike."""

    def __init__(self, seed: int = 42) -> None:
        super().__init__()
        self.augment_inputs = layers.RandomFlip(mode="horizontal", seed=seed)
        self.augment_labels = layers.RandomFlip(mode="horizontal", seed=seed)

    def call(self, inputs: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """A batch each."""
        return self.augment_inputs(inputs), self.augment_labels(labels)


def upsample(filters: int) -> keras.Sequential:
    """A level of pix2pix' way up, without dropout."""
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
    """The encoder, which rests, under the decoder."""
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
