"""GPUs that several processes use: a training, a server, a command, each on the same card."""

from __future__ import annotations

import os


def share_gpus() -> None:
    """Lets TensorFlow take a GPU's memory as it is needed, in this process and in those that it starts.

    Otherwise the first process takes nearly all of each GPU, a server of a small model too, and the next one fails.  It
    must come before TensorFlow uses a GPU; a TF_FORCE_GPU_ALLOW_GROWTH that is set already stays.
    """
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
