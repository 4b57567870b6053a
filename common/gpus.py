"""GPU memory settings for several processes that share a card: a training, a server, a command."""

from __future__ import annotations

import os


def share_gpus() -> None:
    """Lets TensorFlow allocate GPU memory as needed, in this process and in those that it starts.

    Otherwise the first process takes nearly all of each GPU, even to serve a small model, and the next one fails.  It
    must be called before TensorFlow uses a GPU; a TF_FORCE_GPU_ALLOW_GROWTH that is already set is kept.
    """
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
