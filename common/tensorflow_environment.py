"""Environment variables that TensorFlow reads when it is imported."""

from __future__ import annotations

import os
import platform


def set_tensorflow_environment() -> None:
    """Sets them for this process and those that it starts; call it before TensorFlow is imported.

    - `TF_FORCE_GPU_ALLOW_GROWTH`: a GPU's memory is taken as it is needed.  Otherwise the first process takes nearly
      all of each GPU, a server of a small model too, and the next one fails.
    - `TF_ENABLE_ONEDNN_OPTS`: oneDNN computes convolutions, also on x86 processors on which TensorFlow uses it only if
      asked (AVX2 without AVX-512's VNNI: `IsMKLEnabled` in `tsl/util/port.cc`).  docs/results.md has the times.
    - `TF_USE_LEGACY_KERAS`: TensorFlow brings tf_keras, which our networks are made of, and not Keras 3, which nobody
      here uses and which takes a third of the import's time.  TensorFlow Transform sets it as well when imported.

    A variable that is set already stays.
    """
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if platform.machine() in ("x86_64", "AMD64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")


def thread_limits(threads: int) -> dict[str, str]:
    """Returns the variables that make TensorFlow compute with so many threads; those that are set already are left out.

    TensorFlow reads them when it first computes (`process_util.cc`); by default it has a thread for each core of the
    machine, whatever a container allows.
    """
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return {name: str(threads) for name in names if name not in os.environ}
