"""Workarounds for differences between the two supported sets of TFX and TensorFlow versions."""

from __future__ import annotations

import functools
import json
import os
import re
import sys
import tempfile

_BEFORE_ANY_LEVEL = re.compile(rb"I\d{4} |WARNING: All log messages before absl::InitializeLog\(\) ")


@functools.cache
def skip_autograph_for_keras() -> None:
    """Keeps AutoGraph from converting Keras' own source at the first training step.

    TensorFlow's allow-list names `keras` but not `tf_keras`, nor TensorFlow Transform, so that with TensorFlow 2.16 the
    first step spends some 17 s on rewriting library code that needs no rewriting.
    """
    from tensorflow.python.autograph.core import config

    for package in ("tf_keras", "tensorflow_transform"):
        config.CONVERSION_RULES = (config.DoNotConvert(package), *config.CONVERSION_RULES)


def import_tensorflow() -> None:
    """Imports TensorFlow without the log messages of 2.21 that TF_CPP_MIN_LOG_LEVEL does not suppress.

    Two of its libraries log notes on oneDNN and missing GPUs when they are loaded, before they read the level.  What
    else is written to standard error meanwhile is passed on when the import has ended.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as written, os.fdopen(os.dup(2), "wb") as stderr:
        os.dup2(written.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        finally:
            sys.stderr.flush()
            os.dup2(stderr.fileno(), 2)
            written.seek(0)
            stderr.writelines(line for line in written if not _BEFORE_ANY_LEVEL.match(line))


def portable_stats_options(options: str) -> str:
    """Serialises TFDV's StatsOptions to the same JSON bytes under either set, readable by the steps of both.

    TFDV 1.21 has dropped slicing by SQL; 1.16 requires its key in the JSON.
    """
    return json.dumps({"_slice_sqls": None, **json.loads(options)}, sort_keys=True)
