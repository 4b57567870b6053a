"""Writes the exported model."""

from __future__ import annotations

import tensorflow as tf

from common.compatibility import skip_autograph_for_keras
from components.trainer.inference.model import ServedModel


def export(served: ServedModel, directory: str) -> None:
    """Writes the SavedModel with its signatures."""
    skip_autograph_for_keras()
    tf.saved_model.save(served, directory, signatures=served.exported())
