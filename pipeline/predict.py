"""`segpipe predict`: masks and overlays of pictures, as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.errors import UserError
from components.palette import overlay
from pipeline.console import quiet_streams
from registry.store import Registry
from serving.predictor import Prediction, Predictor


def predict_files(images: Sequence[Path], registry: str, version: int | None, out: Path) -> None:
    """Writes `NAME.mask.png` and `NAME.overlay.png` for each picture and prints what was found.

    Raises:
        UserError: there is no model, two pictures share a name, or one is refused; those before it are kept.
    """
    _check_names(images)
    out.mkdir(parents=True, exist_ok=True)
    with quiet_streams(out / "predict.log") as console:
        with console.status("loading the model"):
            predictor = Predictor(Registry(registry), version)
        table = _table(predictor)
        try:
            for image in images:
                with console.status(f"predicting {image.name}"):
                    prediction = predictor.predict(image)
                _write(image, prediction, out)
                _add_row(table, image, prediction, predictor.classes)
        finally:
            _print(console, table, out)


def _check_names(images: Sequence[Path]) -> None:
    names = [image.stem for image in images]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"two pictures are called {twice[0]!r} and would overwrite each other; ask for them one by one")


def _write(image: Path, prediction: Prediction, out: Path) -> None:
    Image.fromarray(prediction.mask_HW).save(out / f"{image.stem}.mask.png")
    with Image.open(image) as picture:
        pixels_HWC = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    Image.fromarray(overlay(pixels_HWC, prediction.mask_HW)).save(out / f"{image.stem}.overlay.png")


def _table(predictor: Predictor) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    table.add_column(f"picture (version {predictor.manifest.version})")
    table.add_column("share of each class")
    table.add_column("confidence", justify="right")
    return table


def _add_row(table: Table, image: Path, prediction: Prediction, classes: Sequence[str]) -> None:
    shares = sorted(zip(prediction.class_fractions_C, classes, strict=True), reverse=True)
    found = ", ".join(f"{name} {share:.1%}" for share, name in shares if share > 0)
    table.add_row(Text(str(image)), Text(found), f"{prediction.mean_confidence:.3f}")


def _print(console: Console, table: Table, out: Path) -> None:
    if table.row_count:
        console.print(table)
        console.print(f"masks and overlays are in {out}", markup=False)
