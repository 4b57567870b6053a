"""Building footprints in aerial pictures by a plain U-Net.

As in many public notebooks on the Massachusetts and Inria sets, such as github.com/gunaykrgl/buildingSegmentation: a
`keras.utils.Sequence` opens the files of a batch with Pillow, in every epoch anew, makes them 256² and divides them by
255; the U-Net of Ronneberger et al. (2015) with padded convolutions, 64…1024 channels and no normalisation ends in a
sigmoid; binary cross-entropy, Adam with its defaults, batches of 8 to 32.  The last weights are the result.

Notebooks often leave out the pictures that do not fill a batch; here none is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import tf_keras as keras
from PIL import Image

from benchmarks.seeds.sides import EpochSeconds, Outcome, Pair, Setting
from components.trainer.architectures import UNet

layers = keras.layers


def train(setting: Setting, pairs: Mapping[str, Sequence[Pair]]) -> Outcome:
    """Trains on `pairs["train"]` and predicts the other splits."""
    assert isinstance(setting.architecture, UNet)
    size = (setting.width, setting.height)
    model = unet(setting, setting.architecture.width, setting.architecture.depth)
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    clock = EpochSeconds()
    batches = Batches(pairs["train"], setting.batch_size, size)
    model.fit(batches, epochs=setting.epochs, callbacks=[clock], verbose=0)

    def masks(split: str) -> np.ndarray:
        images = np.stack([load_image(pair.image, size) for pair in pairs[split]])
        probability = model.predict(images, batch_size=setting.batch_size, verbose=0)
        return (probability[..., 0] > 0.5).astype(np.uint8)

    return Outcome(model.count_params(), [clock.seconds], {split: masks(split) for split in pairs if split != "train"})


class Batches(keras.utils.Sequence):
    """Pictures and masks, opened a batch at a time."""

    def __init__(self, pairs: Sequence[Pair], batch_size: int, size: tuple[int, int]) -> None:
        self.pairs, self.batch_size, self.size = pairs, batch_size, size

    def __len__(self) -> int:
        return math.ceil(len(self.pairs) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        pairs = self.pairs[index * self.batch_size : (index + 1) * self.batch_size]
        images = [load_image(pair.image, self.size) for pair in pairs]
        masks = [np.asarray(Image.open(pair.mask).resize(self.size, Image.Resampling.NEAREST)) for pair in pairs]
        return np.stack(images), np.stack(masks)[..., np.newaxis].astype(np.float32)


def load_image(file: str, size: tuple[int, int]) -> np.ndarray:
    """A picture in 0…1."""
    return np.asarray(Image.open(file).convert("RGB").resize(size), np.float32) / 255


def unet(setting: Setting, width: int, depth: int) -> keras.Model:
    """64…1024 with a width of 64 and a depth of 4."""

    def two_convolutions(features, channels):  # type: ignore[no-untyped-def]
        for _ in range(2):
            features = layers.Conv2D(channels, 3, padding="same", activation="relu", kernel_initializer="he_normal")(
                features
            )
        return features

    inputs = keras.Input((setting.height, setting.width, 3))
    features, skips = inputs, []
    for level in range(depth):
        features = two_convolutions(features, width * 2**level)
        skips.append(features)
        features = layers.MaxPooling2D()(features)
    features = two_convolutions(features, width * 2**depth)
    for level in reversed(range(depth)):
        features = layers.Conv2DTranspose(width * 2**level, 2, strides=2, padding="same")(features)
        features = layers.concatenate([features, skips[level]])
        features = two_convolutions(features, width * 2**level)
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(features))
