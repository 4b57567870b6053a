"""Names of the features in a compact record: the contract between Transform and Trainer."""

from __future__ import annotations

COMPRESSION = "GZIP"
"""Compression of the files that TFX's Transform writes."""

IMAGE = "image"  # bytes: raw samples, row by row: H·W·3 uint8, RGB; with `data.bands` H·W·C float32 in 0…255
MASK = "mask"  # bytes: H·W raw uint8, class indices and void
ID = "id"  # bytes: the pair's name
FOLD = "fold"  # int64, only with `data.split.folds`: the fold, 0 in test
CHANNEL_MEAN = "channel_mean"  # float [C]: over the training images, in 0…255; the same in each record
CHANNEL_STD = "channel_std"  # float [C]: likewise
CLASS_WEIGHT = "class_weight"  # float, one a class: likewise, mean 1

# Only with `data.bands`, the same in each record.
BAND_LOW = "band_low"  # float [C]: the sample of each band that becomes 0
BAND_HIGH = "band_high"  # float [C]: the sample that becomes 255

# Only in mode `crop`, where each image has its own size.
HEIGHT = "height"  # int64: rows of image and mask
WIDTH = "width"  # int64: their columns
PICTURE_MEAN = "picture_mean"  # float [C]: of each channel over the whole image, in 0…255
PICTURE_STD = "picture_std"  # float [C]: likewise
CLASS_PIXELS = "class_pixels"  # int64, one a class: pixels of each class in the mask
SLICE = "slice"  # bytes: value of the slicing column that `trainer.windows.shares` names, or ""
