"""Names of the features in a record: the contract between ingestion and all later steps.

A record is a `tf.train.Example` with one image and its canonical mask.  Images keep their original bytes, unless
TensorFlow cannot decode them; masks are 8-bit index PNGs with classes 0…C−1, and `VOID` for ignored pixels.
"""

from __future__ import annotations

VOID = 255
"""Index of an ignored pixel, from ingestion to metrics: no loss, no count."""

MAX_CLASSES = 255
"""Classes are 0…254, because an index has eight bits and `VOID` is taken."""

MAX_FOLDS = 10
"""Most folds of cross-validation, because each is a training."""

IMAGE_ENCODED = "image/encoded"  # bytes: JPEG, PNG, BMP or GIF, which TensorFlow can decode, or `common.band_image`
IMAGE_FORMAT = "image/format"  # bytes: "jpeg", "png", "bmp" or "gif"; `BANDS_FORMAT` with `data.bands`
IMAGE_HEIGHT = "image/height"  # int64, pixels
IMAGE_WIDTH = "image/width"  # int64, pixels
IMAGE_ID = "image/id"  # bytes: the pair's name, unique in the data set
IMAGE_BRIGHTNESS = "image/brightness"  # float, mean of luma (of bands: of all samples) in [0, 1]
IMAGE_CONTRAST = "image/contrast"  # float, standard deviation of the same in [0, 1]
MASK_ENCODED = "mask/encoded"  # bytes: 8-bit grey PNG of class indices, image's height and width
MASK_CLASS_FRACTION = "mask/class_fraction"  # float, C long: share of each class among the pixels that are not void
MASK_CLASSES = "mask/classes"  # bytes, 0…C long: names of the classes that occur, in the order of their indices
MASK_FOREGROUND_FRACTION = "mask/foreground_fraction"  # float: share of classes ≥ 1 among the pixels that are not void
MASK_VOID_FRACTION = "mask/void_fraction"  # float: share of void pixels
FOLD = "fold"  # int64, only with `data.split.folds`: the pair's fold, 1…K; 0 in test
SLICE_PREFIX = "slice/"  # bytes, one feature for each slicing column of the manifest or derived bucket

BANDS_FORMAT = "bands"
"""`IMAGE_FORMAT` of images in the layout of `common.band_image`."""

SPLITS = ("train", "eval", "test")
"""For training; for early stopping and the choice of the best epoch; for the evaluation."""


def slice_feature(name: str) -> str:
    """Returns the name of the feature with the slicing column `name`."""
    return SLICE_PREFIX + name
