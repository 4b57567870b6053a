"""Writes the exported model."""

from __future__ import annotations

import tensorflow as tf

from common.compatibility import skip_autograph_for_keras
from common.signatures import SIGNATURES
from components.trainer.inference.model import ServedModel


def export(served: ServedModel, directory: str) -> None:
    """Writes the SavedModel with its signatures."""
    skip_autograph_for_keras()
    signatures = {name: getattr(served, name).get_concrete_function() for name in SIGNATURES}
    tf.saved_model.save(served, directory, signatures=signatures)
