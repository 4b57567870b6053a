"""The class list beside a model or a training's state, so that weights are not used for other classes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import tensorflow as tf

from common.errors import UserError
from common.signatures import EXTRA_ASSETS

CLASS_LIST = "classes.json"


def write_class_list(folder: str, classes: Sequence[str]) -> None:
    """Writes the names of the classes, in the order of their indices, to a folder, which is made."""
    tf.io.gfile.makedirs(folder)
    with tf.io.gfile.GFile(os.path.join(folder, CLASS_LIST), "w") as file:
        json.dump(list(classes), file)


def check_class_list(folder: str, classes: Sequence[str]) -> None:
    """Checks the classes of an exported model, or of a training's state folder; older ones do not name theirs.

    Raises:
        UserError: they are others, or in another order; the message names them.
    """
    for path in (os.path.join(folder, EXTRA_ASSETS, CLASS_LIST), os.path.join(folder, CLASS_LIST)):
        if tf.io.gfile.exists(path):
            with tf.io.gfile.GFile(path) as file:
                _compare(folder, json.load(file), classes)


def _compare(folder: str, theirs: Sequence[str], ours: Sequence[str]) -> None:
    if list(theirs) == list(ours):
        return
    only_there = [name for name in theirs if name not in ours]
    only_here = [name for name in ours if name not in theirs]
    differences = [
        f"{what} {', '.join(map(repr, names))}"
        for what, names in (("only the model has", only_there), ("only data.classes has", only_here))
        if names
    ]
    raise UserError(
        f"trainer.warm_start: the model in {folder} was trained for other classes: "
        f"{'; '.join(differences) or 'the same names in another order'}. "
        "Set trainer.warm_start to none for the first training with the new classes"
    )
