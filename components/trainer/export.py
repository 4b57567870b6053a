"""Writes the exported model."""

from __future__ import annotations

import os

import tensorflow as tf

from common.compatibility import skip_autograph_for_keras
from common.signatures import EXTRA_ASSETS
from components.trainer.class_list import write_class_list
from components.trainer.inference.model import ServedModel


def export(served: ServedModel, directory: str) -> None:
    """Writes the SavedModel with its signatures, and the names of its classes."""
    skip_autograph_for_keras()
    tf.saved_model.save(served, directory, signatures=served.exported())
    write_class_list(os.path.join(directory, EXTRA_ASSETS), served.class_names)
