"""Oxford-IIIT Pet by FCN-8 on VGG16.

As in the public notebooks that train it on Pet's trimaps, after the laboratory on VGG16 and FCN-8 of DeepLearning.AI's
course "Advanced Computer Vision with TensorFlow": pictures are resized to 224², mirrored at random and divided by 255
one by one, then shuffled, batched, cached and repeated, so that all epochs see the batches and mirrors of the first.
VGG16 rests; on its fifth pool stand a convolution of 7 and one of 1 with 4096 channels each and no dropout.  What they
say is enlarged twice by a transposed convolution of 4 with a crop, to be added to scores of the fourth and the third
pool (f4, f3; a convolution of 1 with ReLU), and eightfold by one of 8; softmax, cross-entropy, Adam.  The last weights
are the result.

Some of the notebooks tell the loss that the softmax' probabilities are logits; here it is told what they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras

from benchmarks.seeds.sides import EpochSeconds, Outcome, Pair, Setting
from components.trainer.architectures import FCN8

layers = keras.layers
AUTOTUNE = tf.data.AUTOTUNE


def train(setting: Setting, pairs: Mapping[str, Sequence[Pair]]) -> Outcome:
    """Trains on `pairs["train"]` and predicts the other splits."""
    train_ds = dataset(pairs["train"], setting, mirrored=True)
    train_ds = train_ds.shuffle(1000).batch(setting.batch_size).cache().repeat().prefetch(AUTOTUNE)
    model = segmentation_model(setting)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    clock = EpochSeconds()
    steps = math.ceil(len(pairs["train"]) / setting.batch_size)
    model.fit(train_ds, epochs=setting.epochs, steps_per_epoch=steps, callbacks=[clock], verbose=0)

    def masks(split: str) -> np.ndarray:
        test_ds = dataset(pairs[split], setting, mirrored=False).batch(setting.batch_size)
        return np.argmax(model.predict(test_ds, verbose=0), axis=-1).astype(np.uint8)

    return Outcome(model.count_params(), [clock.seconds], {split: masks(split) for split in pairs if split != "train"})


def dataset(pairs: Sequence[Pair], setting: Setting, mirrored: bool) -> tf.data.Dataset:
    """Pictures in 0…1 and masks, one by one."""
    size = (setting.height, setting.width)

    def load(image_file: tf.Tensor, mask_file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.io.decode_image(tf.io.read_file(image_file), channels=3, expand_animations=False)
        image = tf.image.resize(tf.ensure_shape(image, [None, None, 3]), size)
        mask = tf.image.resize(tf.io.decode_png(tf.io.read_file(mask_file), channels=1), size, method="nearest")
        if mirrored and tf.random.uniform(()) > 0.5:
            image, mask = tf.image.flip_left_right(image), tf.image.flip_left_right(mask)
        return image / 255.0, mask

    files = tf.data.Dataset.from_tensor_slices(([pair.image for pair in pairs], [pair.mask for pair in pairs]))
    return files.map(load, num_parallel_calls=AUTOTUNE)


def segmentation_model(setting: Setting) -> keras.Model:
    """VGG16, which rests, under the head."""
    assert isinstance(setting.architecture, FCN8)
    inputs = layers.Input(shape=(setting.height, setting.width, 3))
    vgg = keras.applications.VGG16(include_top=False, input_tensor=inputs, weights=None)
    vgg.trainable = False
    f3, f4, f5 = (vgg.get_layer(f"block{block}_pool").output for block in (3, 4, 5))
    n, n_classes = setting.architecture.head_width, setting.num_classes
    c6 = layers.Conv2D(n, 7, activation="relu", padding="same")(f5)
    c7 = layers.Conv2D(n, 1, activation="relu", padding="same")(c6)
    o = layers.Cropping2D(1)(layers.Conv2DTranspose(n_classes, 4, strides=2, use_bias=False)(c7))
    o = layers.Add()([o, layers.Conv2D(n_classes, 1, activation="relu", padding="same")(f4)])
    o = layers.Cropping2D(1)(layers.Conv2DTranspose(n_classes, 4, strides=2, use_bias=False)(o))
    o = layers.Add()([o, layers.Conv2D(n_classes, 1, activation="relu", padding="same")(f3)])
    o = layers.Conv2DTranspose(n_classes, 8, strides=8, use_bias=False)(o)
    return keras.Model(inputs, layers.Activation("softmax")(o))
