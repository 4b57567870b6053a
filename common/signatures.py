"""Names of the exported model's signatures, of their inputs and outputs, and of the files beside them.

`components/trainer/inference/model.py` defines what each does; `segpipe_client` repeats the names that it needs, since
it imports nothing of the project.
"""

from __future__ import annotations

SERVING_DEFAULT = "serving_default"
"""Encoded images to masks; one rejected image fails the whole call."""
SERVING_EACH = "serving_each"
"""The same with `ERRORS`; a rejected image does not fail the others."""
SERVING_PIXELS = "serving_pixels"
"""Samples of images of bands to masks; only in a model for such images."""
SERVING_TILES = "serving_tiles"
"""Tiles of a scene to class probabilities; only in a model that slides its window at the images' own resolution."""
SERVING_VALUES = "serving_values"
"""Samples of bands to the values 0…255 that the network gets; only in a model that slides its window over images of
bands that are normalised by their own statistics."""
SERVING_INPUTS = "serving_inputs"
"""Pixels at the model's input size to classes and probabilities, without strings: what other formats are made of."""
SERVING_ARRAYS = "serving_arrays"
"""The same of images of any one size, with their resizing; not in a model that slides its window."""
PROBABILITIES = "probabilities"
"""Encoded images to class probabilities at the model's size; also the name of its output."""
EVALUATE = "evaluate"
"""Serialized records to confusion counts."""
EVALUATE_MASKS = "evaluate_masks"
"""The same, the predicted masks, and how right the network is at which confidence."""
SIGNATURES = (SERVING_DEFAULT, SERVING_EACH, PROBABILITIES, EVALUATE, EVALUATE_MASKS)
"""Those of every model."""

IMAGE = "image"
"""Input of all signatures for encoded images, string [B]: encoded images."""
PIXELS = "pixels"
"""Input of `SERVING_PIXELS`, `SERVING_INPUTS` and `SERVING_ARRAYS`, [B, H, W, C] of the samples' type, and of
`SERVING_VALUES`, [N, C]."""
TILES = "tiles"
"""Input of `SERVING_TILES`, [N, H, W, C] of the samples' type: tiles of the model's size."""
MEAN, STD = "mean", "std"
"""Inputs of `SERVING_TILES`, float32 [C], if images are normalised by their own statistics: those of the scene; also of
`SERVING_INPUTS` in a model that slides its window."""
EXAMPLES = "examples"
"""Input of `EVALUATE` and `EVALUATE_MASKS`, string [B]: serialized records."""

MASK_BYTES = "mask_bytes"
"""Output, string [B]: PNG index masks at the images' own sizes."""
MASK = "mask"
"""Output of `SERVING_INPUTS` and `SERVING_ARRAYS`, uint8 [B, H, W]: the class of each pixel of `PIXELS`."""
CLASS_FRACTIONS = "class_fractions"
"""Output, float32 [B, C]."""
CLASS_NAMES = "class_names"
"""Output, string [B, C]."""
MEAN_CONFIDENCE = "mean_confidence"
"""Output, float32 [B]."""
VALUES = "values"
"""Output of `SERVING_VALUES`, float32 [N, C]."""
ERRORS = "errors"
"""Output of `SERVING_EACH`, string [B]: the reason of each rejection, empty for the others."""
CONFUSION = "confusion"
"""Output of `EVALUATE` and `EVALUATE_MASKS`, int64 [B, C·C]: pixels as [truth][prediction], at the image's own size."""

RELIABILITY = "reliability"
"""Output of `EVALUATE_MASKS`, float64 [B, C, CONFIDENCE_BINS, R]: the sums `RELIABILITY_SUMS` over the pixels of each
predicted class and bin of confidence, at the image's own size."""
RELIABILITY_SUMS = ("pixels", "right", "confidence", "squared_error")
"""The last axis of `RELIABILITY`: pixels, those whose class is right, and the sums of their confidence and of its
squared difference to 1 where the class is right, else to 0."""
CONFIDENCE_BINS = 60
"""Bins of the confidence, the probability of the predicted class, in `RELIABILITY`: bin m has (m/60, (m + 1)/60].  An
evaluation joins them to the number of bins that it wants."""

EXTRA_ASSETS = "assets.extra"
"""Folder of a SavedModel whose files TensorFlow does not load: warm-up requests, the class list, other formats."""
WARMUP_FILE = f"{EXTRA_ASSETS}/tf_serving_warmup_requests"
"""Requests that TensorFlow Serving sends to a version before it serves it."""
