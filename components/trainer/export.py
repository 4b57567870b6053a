"""Writing the exported model."""

from __future__ import annotations

import tensorflow as tf

from components.compatibility import skip_autograph_for_keras
from components.trainer.inference.model import ServedModel

__all__ = ["ServedModel", "export"]


def export(served: ServedModel, directory: str) -> None:
    """Writes the SavedModel with its three signatures."""
    skip_autograph_for_keras()
    signatures = {
        name: getattr(served, name).get_concrete_function() for name in ("serving_default", "probabilities", "evaluate")
    }
    tf.saved_model.save(served, directory, signatures=signatures)
