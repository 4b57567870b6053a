"""`segpipe predict`: masks and overlays of pictures, as files, from a model in this process or from a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.errors import UserError
from components.palette import overlay
from pipeline.console import quiet_streams
from registry.store import Registry
from serving.client import SegmentationClient
from serving.client.pictures import decoded_rgb
from serving.predictor import Predictor
from serving.shadow import segment

_PATIENCE_SECONDS = 5  # A person who has mistyped a port is waiting.


class Found(NamedTuple):
    """What a model says of a picture; a server may not say its version."""

    mask_HW: np.ndarray
    shares: Mapping[str, float]
    mean_confidence: float
    version: int | None


Ask = Callable[[Path], Found]


def predict_here(images: Sequence[Path], registry: str, version: int | None, out: Path) -> None:
    """Writes `NAME.mask.png` and `NAME.overlay.png` for each picture and prints what was found.

    Raises:
        UserError: there is no model, two pictures share a name, or one is refused; those before it are kept.
    """
    with _prepared(images, out) as console:
        with console.status("loading the model"):
            predictor = Predictor(Registry(registry), version)

        def ask(image: Path) -> Found:
            prediction = predictor.predict(image)
            shares = dict(zip(predictor.classes, prediction.class_fractions_C.tolist(), strict=True))
            return Found(prediction.mask_HW, shares, prediction.mean_confidence, predictor.manifest.version)

        _predict(images, ask, out, console)


def predict_there(images: Sequence[Path], url: str, out: Path) -> None:
    """The same, with the server's model at the address `url`.

    Raises:
        UserError: `url` is no address of a model, it does not answer, two pictures share a name, or one is refused.
    """
    try:
        client = SegmentationClient(url, patience=_PATIENCE_SECONDS)
    except ValueError as error:
        raise UserError(str(error)) from None

    def ask(image: Path) -> Found:
        answer = segment(client, image)
        return Found(answer.mask_HW, answer.fractions, answer.mean_confidence, answer.model_version)

    with client, _prepared(images, out) as console:
        _predict(images, ask, out, console)


@contextmanager
def _prepared(images: Sequence[Path], out: Path) -> Iterator[Console]:
    names = [image.stem for image in images]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"two pictures are called {twice[0]!r} and would overwrite each other; ask for them one by one")
    out.mkdir(parents=True, exist_ok=True)
    with quiet_streams(out / "predict.log") as console:
        yield console


def _predict(images: Sequence[Path], ask: Ask, out: Path, console: Console) -> None:
    table = _table()
    try:
        for image in images:
            with console.status(f"predicting {image.name}"):
                found = ask(image)
            _write(image, found, out)
            _add_row(table, image, found)
    finally:
        if table.row_count:
            console.print(table)
            console.print(f"masks and overlays are in {out}", markup=False)


def _write(image: Path, found: Found, out: Path) -> None:
    Image.fromarray(found.mask_HW).save(out / f"{image.stem}.mask.png")
    pixels_HWC = decoded_rgb(image.read_bytes())
    Image.fromarray(overlay(pixels_HWC, found.mask_HW)).save(out / f"{image.stem}.overlay.png")


def _table() -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    table.add_column("picture")
    table.add_column("share of each class")
    table.add_column("confidence", justify="right")
    table.add_column("version", justify="right")
    return table


def _add_row(table: Table, image: Path, found: Found) -> None:
    shares = sorted(((share, name) for name, share in found.shares.items()), reverse=True)
    told = ", ".join(f"{name} {share:.1%}" for share, name in shares if share > 0)
    version = "–" if found.version is None else str(found.version)
    table.add_row(Text(str(image)), Text(told), f"{found.mean_confidence:.3f}", version)
