"""Names of the features in a compact record: the contract between Transform and Trainer."""

from __future__ import annotations

IMAGE = "image"  # bytes: H·W·3 raw uint8, row by row, RGB
MASK = "mask"  # bytes: H·W raw uint8, class indices and void
ID = "id"  # bytes: the pair's name
CHANNEL_MEAN = "channel_mean"  # float [3]: over the training images, in 0…255; the same in each record
CHANNEL_STD = "channel_std"  # float [3]: likewise
CLASS_WEIGHT = "class_weight"  # float [C]: likewise, mean 1
