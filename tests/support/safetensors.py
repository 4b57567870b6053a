"""Writer of .safetensors files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def write_safetensors(path: Path, arrays: Mapping[str, np.ndarray], type: str = "F32") -> Path:
    """Writes arrays, whose bytes are those of `type`, and returns the path."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, array in arrays.items():
        offsets = [offset, offset + array.nbytes]
        header[name] = {"dtype": type, "shape": list(array.shape), "data_offsets": offsets}
        offset = offsets[1]
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(array.tobytes() for array in arrays.values()))
    return path
