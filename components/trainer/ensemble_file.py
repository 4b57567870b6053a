"""The number of an ensemble's members, beside its exported model, so that no single network starts from it."""

from __future__ import annotations

import json
import os

import tensorflow as tf

from common.errors import UserError
from common.signatures import EXTRA_ASSETS

ENSEMBLE_FILE = "ensemble.json"


def write_members(folder: str, members: int) -> None:
    """Writes the number of members to an existing folder."""
    with tf.io.gfile.GFile(os.path.join(folder, ENSEMBLE_FILE), "w") as file:
        json.dump({"members": members}, file)


def check_single_network(model_dir: str) -> None:
    """Checks that an exported model is not an ensemble.

    Raises:
        UserError: it is one; the message says of how many networks.
    """
    path = os.path.join(model_dir, EXTRA_ASSETS, ENSEMBLE_FILE)
    if not tf.io.gfile.exists(path):
        return
    with tf.io.gfile.GFile(path) as file:
        members = json.load(file)["members"]
    raise UserError(
        f"trainer.warm_start: the model in {model_dir} is an ensemble of {members} networks, from which a single one "
        "cannot start: name the folder of a single model, or set trainer.warm_start to none"
    )
