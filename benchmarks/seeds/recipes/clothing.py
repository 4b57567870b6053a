"""Clothing Co-Parsing, 59 classes, by a U-Net on DenseNet121 that is trained in two phases.

The way of TensorFlow's tutorial on segmentation, carried over to another encoder as public notebooks on street fashion
do: pictures are resized to 128² and divided by 255; cache, shuffle, batch, mirror, prefetch.  DenseNet121 is tapped at
`conv1/relu`, `pool2_relu`, `pool3_relu`, `pool4_relu` and `relu` under a pix2pix decoder of 512, 256, 128 and 64
channels; sparse categorical cross-entropy, Adam.  At first the encoder rests; then, as tensorflow.org's tutorial on
transfer learning has it, all of it is made trainable and the training goes on at a hundredth of the step size.  The
last weights are the result.

Where the weights of a MobileNet are given, it takes DenseNet's place on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import tf_keras as keras

from benchmarks.seeds.recipes.pets import AUTOTUNE, Augment, dataset, upsample
from benchmarks.seeds.sides import EpochSeconds, Outcome, Pair, Setting
from components.trainer.architectures import EncoderUNet

layers = keras.layers
FIRST_RATE, FINE_RATE = 1e-3, 1e-5
LAYERS = {
    "densenet121": ["conv1/relu", "pool2_relu", "pool3_relu", "pool4_relu", "relu"],
    "mobilenet": ["conv_pw_1_relu", "conv_pw_3_relu", "conv_pw_5_relu", "conv_pw_11_relu", "conv_pw_13_relu"],
}


def train(setting: Setting, pairs: Mapping[str, Sequence[Pair]]) -> Outcome:
    """Trains on `pairs["train"]` and predicts the other splits."""
    size = (setting.height, setting.width)
    pictures = dataset(pairs["train"], size)
    batches = (
        pictures.cache().shuffle(1000).batch(setting.batch_size).repeat().map(Augment()).prefetch(buffer_size=AUTOTUNE)
    )
    steps = math.ceil(len(pairs["train"]) / setting.batch_size)
    encoder = build_encoder(setting)
    model = build_model(encoder, setting)
    clocks = []
    for begin, end, trainable, rate in (
        (0, setting.resting_epochs, False, FIRST_RATE),
        (setting.resting_epochs, setting.epochs, True, FINE_RATE),
    ):
        encoder.trainable = trainable
        model.compile(
            optimizer=keras.optimizers.Adam(rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        clocks.append(EpochSeconds())
        model.fit(batches, initial_epoch=begin, epochs=end, steps_per_epoch=steps, callbacks=[clocks[-1]], verbose=0)

    def masks(split: str) -> np.ndarray:
        logits = model.predict(dataset(pairs[split], size).batch(setting.batch_size), verbose=0)
        return np.argmax(logits, axis=-1).astype(np.uint8)

    phases = [clock.seconds for clock in clocks if clock.seconds]
    return Outcome(model.count_params(), phases, {split: masks(split) for split in pairs if split != "train"})


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
    """The encoder under the decoder."""
    inputs = layers.Input(shape=(setting.height, setting.width, 3))
    *skips, x = encoder(inputs)
    for filters, skip in zip((512, 256, 128, 64), reversed(skips), strict=True):
        x = layers.Concatenate()([upsample(filters)(x), skip])
    return keras.Model(inputs, layers.Conv2DTranspose(setting.num_classes, 3, strides=2, padding="same")(x))
