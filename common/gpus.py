"""Sharing of a GPU by several processes: a training, a server, a command."""

from __future__ import annotations

import os


def share_gpus() -> None:
    """Makes TensorFlow allocate GPU memory as needed, in this process and in its child processes.

    Otherwise the first process takes nearly all memory of each GPU, even to serve a small model, and the next one
    fails.  It must be called before TensorFlow uses a GPU; it does not change an existing TF_FORCE_GPU_ALLOW_GROWTH.
    """
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
