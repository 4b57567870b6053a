"""Writes the exported model."""

from __future__ import annotations

import os

import tensorflow as tf

from common.compatibility import skip_autograph_for_keras
from common.signatures import EXTRA_ASSETS
from components.trainer.class_list import write_class_list
from components.trainer.ensemble_file import write_members
from components.trainer.inference.model import ServedModel


def export(served: ServedModel, directory: str) -> None:
    """Writes the SavedModel with its signatures, the names of its classes, and the number of an ensemble's members."""
    skip_autograph_for_keras()
    tf.saved_model.save(served, directory, signatures=served.exported())
    extra = os.path.join(directory, EXTRA_ASSETS)
    write_class_list(extra, served.class_names)
    if served.members > 1:
        write_members(extra, served.members)
