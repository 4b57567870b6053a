"""Oxford-IIIT Pet by FCN-8 on VGG16: an article of GeeksforGeeks.

Images are resized to 224² and divided by 255, masks are resized bilinearly (the default of `tf.image.resize`) and
flipped with them at random; that is cached, so that all epochs see the flips of the first, then shuffled, batched by
64, repeated and prefetched.  VGG16 is frozen; on its fifth pool are a convolution of 7 and one of 1 with 4096
channels each and no dropout.  Their output is enlarged twice by a transposed convolution of 4 with a crop, to be
added to scores of the fourth and the third pool (f4, f3; a convolution of 1 with ReLU), and eightfold by one of 8;
softmax.  The loss, sparse categorical cross-entropy, is told that the softmax' probabilities are logits, which Keras
notices and corrects (`_get_logits` in `tf_keras/src/backend.py`); it truncates the interpolated classes to integers.
Adam at 0.001, 15 epochs of whole batches.  The last weights are the result.
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
from components.trainer.architectures import FCN8

layers = keras.layers
AUTOTUNE = tf.data.AUTOTUNE


def train(setting: Setting, pairs: Mapping[str, Sequence[Pair]], score: Score) -> Outcome:
    """Trains on `pairs["train"]` and predicts the other splits."""
    images = dataset(pairs["train"], setting, flipped=True)
    batches = images.cache().shuffle(1000).batch(setting.batch_size).repeat().prefetch(AUTOTUNE)
    model = segmentation_model(setting)
    model.compile(
        optimizer=keras.optimizers.Adam(0.001),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )

    def masks(split: str) -> np.ndarray:
        test = dataset(pairs[split], setting, flipped=False).batch(setting.batch_size)
        return np.argmax(model.predict(test, verbose=0), axis=-1).astype(np.uint8)

    clock = EpochClock(lambda: score(masks("eval")))
    count, batch = len(pairs["train"]), setting.batch_size
    steps = whole_batches(count, batch)
    model.fit(batches, epochs=setting.epochs, steps_per_epoch=steps, callbacks=[clock], verbose=0)
    return recipe_outcome(model, [clock], repeated_images(count, batch), pairs, masks)


def dataset(pairs: Sequence[Pair], setting: Setting, flipped: bool) -> tf.data.Dataset:
    """Images in 0…1 and interpolated masks, one by one."""
    size = (setting.height, setting.width)

    def load(image_file: tf.Tensor, mask_file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.io.decode_image(tf.io.read_file(image_file), channels=3, expand_animations=False)
        image = tf.image.resize(tf.ensure_shape(image, [None, None, 3]), size)
        mask = tf.image.resize(tf.io.decode_png(tf.io.read_file(mask_file), channels=1), size)
        if flipped and tf.random.uniform(()) > 0.5:
            image, mask = tf.image.flip_left_right(image), tf.image.flip_left_right(mask)
        return image / 255.0, mask

    files = tf.data.Dataset.from_tensor_slices(([pair.image for pair in pairs], [pair.mask for pair in pairs]))
    return files.map(load, num_parallel_calls=AUTOTUNE)


def segmentation_model(setting: Setting) -> keras.Model:
    """The frozen VGG16 and the head."""
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
