"""PyTorch's side of `benchmarks.gpu`: the same U-Net, the same step, in another framework.

    PYTHON benchmarks/torch_unet.py NAME=WIDTH,DEPTH,SIZE,BATCH SECONDS

It needs PyTorch and nothing else; a line of JSON a variant goes to the standard output.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

sys.path[0] = str(Path(__file__).resolve().parents[1])  # As `python -m` has it.

from benchmarks.gpu import Network, network_of, timed  # noqa: E402

CLASSES = 2


class Variant(NamedTuple):
    """A way to train it."""

    name: str
    precision: torch.dtype = torch.float32
    compiled: bool = False
    tf32: bool = True


VARIANTS = (
    Variant("float32, TF32"),
    Variant("bfloat16", torch.bfloat16),
    Variant("float16", torch.float16),
    Variant("float32", tf32=False),
    Variant("bfloat16, compiled", torch.bfloat16, compiled=True),
)


class DoubleConvolution(nn.Sequential):
    """Twice: a padded convolution of size 3, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """From `inputs` channels to `outputs`."""
        parts: list[nn.Module] = []
        for channels in (inputs, outputs):
            parts += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        super().__init__(*parts)


class UNet(nn.Module):
    """As `components/trainer/models/unet.py` has it, with one logit for two classes."""

    def __init__(self, width: int, depth: int) -> None:
        """`width` channels at the first level, twice as many at each further one."""
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            DoubleConvolution(before, after) for before, after in zip([3, *widths], widths, strict=False)
        )
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * out, out, 2, stride=2) for out in reversed(widths[:-1]))
        self.up = nn.ModuleList(DoubleConvolution(2 * out, out) for out in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Logits [B, 1, H, W] of pixels in 0…255."""
        features, skips = (image_BCHW - 127.0) / 64.0, []
        for block in self.down[:-1]:
            features = block(features)
            skips.append(features)
            features = nn.functional.max_pool2d(features, 2)
        features = self.down[-1](features)
        for grow, block, skip in zip(self.grow, self.up, reversed(skips), strict=True):
            features = block(torch.cat([skip, grow(features)], dim=1))
        return self.head(features)


def main() -> None:
    """Measures the variants one after the other."""
    network, seconds = network_of(sys.argv[1]), float(sys.argv[2])
    for variant in VARIANTS:
        try:
            result = _measured(network, variant, seconds)
        except Exception as error:  # noqa: BLE001  # The next variant may do.
            result = {"error": f"{type(error).__name__}: {error}".split("\n")[0][:300]}
        print(json.dumps({"variant": variant.name, **result}), flush=True)


def _measured(network: Network, variant: Variant, seconds: float) -> dict[str, Any]:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = variant.tf32
    torch.backends.cudnn.benchmark = True
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    step = _step(network, variant, torch.device("cuda" if cuda else "cpu"))
    began = time.monotonic()
    step()
    first = time.monotonic() - began
    rates = timed(step, network.batch, seconds)
    peak = torch.cuda.max_memory_allocated() / 1e6 if cuda else 0.0
    return {"images_per_second": rates, "first_step": first, "peak_mb": peak}


def _step(network: Network, variant: Variant, device: torch.device) -> Callable[..., float | None]:
    model = UNet(network.width, network.depth).to(device, memory_format=torch.channels_last)
    forward = torch.compile(model) if variant.compiled else model
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=device.type == "cuda")
    scaler = torch.amp.GradScaler(device.type, enabled=variant.precision == torch.float16)
    counts_CC = torch.zeros(CLASSES * CLASSES, dtype=torch.float64, device=device)
    shape = (network.batch, network.size, network.size)
    image_BHWC = torch.randint(256, (*shape, 3), dtype=torch.uint8)
    mask_BHW = torch.randint(CLASSES, shape, dtype=torch.uint8)
    if device.type == "cuda":
        image_BHWC, mask_BHW = image_BHWC.pin_memory(), mask_BHW.pin_memory()

    def step(wait: bool = True) -> float | None:
        image_BCHW = image_BHWC.to(device, non_blocking=True).permute(0, 3, 1, 2).float()
        truth_BHW = mask_BHW.to(device, non_blocking=True)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, variant.precision, enabled=variant.precision != torch.float32):
            logits_BHW = forward(image_BCHW)[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logits_BHW.float(), truth_BHW.float())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        with torch.no_grad():
            cells = (truth_BHW.long() * CLASSES + (logits_BHW > 0).long()).flatten()
            counts_CC.index_add_(0, cells, torch.ones_like(cells, dtype=torch.float64))
        return loss.item() if wait else None

    return step


if __name__ == "__main__":
    main()
