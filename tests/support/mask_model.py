"""A SavedModel with the signature that predictions are asked of, and next to nothing in it: it loads in an instant."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import tensorflow as tf

from common.signatures import (
    CLASS_FRACTIONS,
    CLASS_NAMES,
    EXTRA_ASSETS,
    IMAGE,
    MASK_BYTES,
    MEAN_CONFIDENCE,
    SERVING_DEFAULT,
)
from registry.store import Registry
from tests.support.serving import BIRTH

CLASSES = ("dark", "bright")


class _MaskModel(tf.Module):
    """Class 1 where the first channel is above a half; an image that TensorFlow cannot decode fails the call."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=IMAGE)], autograph=False)
    def serve(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        specs = (tf.TensorSpec([], tf.string), tf.TensorSpec([2], tf.float32))
        mask_B, share_BC = tf.map_fn(_mask_and_shares, image, fn_output_signature=specs)
        return {
            MASK_BYTES: mask_B,
            CLASS_FRACTIONS: share_BC,
            CLASS_NAMES: tf.repeat(tf.constant([CLASSES]), tf.size(mask_B), axis=0),
            MEAN_CONFIDENCE: tf.reduce_max(share_BC, axis=1),
        }


def _mask_and_shares(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    image_HWC = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    mask_HW = tf.cast(image_HWC[..., 0] > 127, tf.uint8)
    bright = tf.reduce_mean(tf.cast(mask_HW, tf.float32))
    return tf.io.encode_png(mask_HW[..., tf.newaxis]), tf.stack([1 - bright, bright])


def write_mask_model(folder: str) -> None:
    """Writes the SavedModel into a folder."""
    model = _MaskModel()
    tf.saved_model.save(model, folder, signatures={SERVING_DEFAULT: model.serve})
    extra = Path(folder, EXTRA_ASSETS)
    extra.mkdir()
    (extra / "classes.json").write_text(json.dumps(CLASSES))


def mask_registry(folder: Path) -> Registry:
    """Returns a registry in a folder, whose version 1 is the model and is served."""
    registry = Registry(str(folder))
    data = {"source": {"type": "folders", "root": "data"}, "classes": list(CLASSES)}
    with tempfile.TemporaryDirectory() as scratch:
        write_mask_model(scratch)
        registry.push(scratch, **BIRTH | {"config": {"data": data}})
    registry.serve(1)
    return registry
