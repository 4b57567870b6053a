"""`segpipe predict`: writes masks and overlays of images, from a model in this process or on a server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from common.errors import UserError
from common.interruption import INTERRUPTED
from common.plurals import counted
from pipeline.cli.answer_files import AnswerFiles, Prediction, answer_files
from pipeline.cli.console import quiet_streams
from pipeline.cli.image_encoding import ServerEncoding, encoding_of
from pipeline.cli.image_files import ImageFile, ImageFiles, find_images
from pipeline.cli.scenes import MAP_FORMATS, check_map_format, predict_scene, scenes_among
from registry.store import Registry
from segpipe_client import SegmentationClient
from serving.errors import FailedPictureError
from serving.predictor import Predictor

LOG = "predict.log"
_PATIENCE_SECONDS = 5  # Short: a mistyped port must fail soon.


class _Figures(NamedTuple):
    """What the table shows of an image, and notes below it."""

    shares: Mapping[str, float]
    mean_confidence: float
    version: int | None
    notes: Sequence[str] = ()


_Tell = Callable[[str], None]
"""Shows what is done at present."""
_Answer = Callable[[ImageFile, _Tell], _Figures]
"""Predicts an image and writes its files."""


def predict_here(images: Sequence[Path], registry: str, version: int | None, out: Path, format: str = "png") -> None:
    """Writes the answers in one of `answer_files.FORMATS` and prints what was found.

    `images` are files or folders; a refused image does not stop the others.  A GeoTIFF gets a georeferenced
    mask, unless the format is that of a labelling tool.

    Raises:
        UserError: the model or an image is missing, or images were refused: the text has the reasons; the others are
            written.
    """
    found = find_images(images, out)
    with _prepared(out) as (console, progress):
        scenes = scenes_among(found, format)
        with console.status("loading the model"):
            predictor = Predictor(Registry(registry), version)
            encode = encoding_of(predictor.manifest.config)
        answers = answer_files(format, out)

        def answer(image: ImageFile, tell: _Tell) -> _Figures:
            if image in scenes:
                scene = predict_scene(predictor, image, format, out, tell)
                return _Figures(scene.shares, scene.mean_confidence, predictor.manifest.version, scene.notes)
            check_map_format(image, format)
            prediction = predictor.predict(image.path, encode)
            shares = dict(zip(predictor.classes, prediction.class_fractions_C.tolist(), strict=True))
            confidence, number = prediction.mean_confidence, predictor.manifest.version
            seen = prediction.picture
            answers.add(image, Prediction(prediction.mask_HW, shares, confidence, number, predictor.classes, seen))
            return _Figures(shares, confidence, number)

        told = [answers.told] if len(scenes) < len(found.images) else []
        told += [f"georeferenced masks{' and polygons' if format != 'png' else ''} are in"] if scenes else []
        _predict(found, answer, answers, [f"{line} {out}" for line in told], console, progress)


def predict_there(images: Sequence[Path], url: str, out: Path, format: str = "png") -> None:
    """Like `predict_here`, with the model at the address `url` of a server.

    Raises:
        UserError: `url` is not the address of a model, it does not answer, or as `predict_here`.
    """
    if format in MAP_FORMATS:
        raise UserError(f"--format {format} needs the model itself, to read scenes by windows; leave --url out")
    try:
        client = SegmentationClient(url, patience=_PATIENCE_SECONDS)
    except ValueError as error:
        raise UserError(str(error)) from None
    found = find_images(images, out)
    answers, encoding = answer_files(format, out), ServerEncoding(client)

    def answer(image: ImageFile, _: _Tell) -> _Figures:
        got = encoding.segment(image.path)
        prediction = Prediction(
            got.mask_HW, got.fractions, got.mean_confidence, got.model_version, got.class_names, got.picture
        )
        answers.add(image, prediction)
        return _Figures(prediction.shares, prediction.mean_confidence, prediction.version)

    with client, _prepared(out) as (console, progress):
        _predict(found, answer, answers, [f"{answers.told} {out}"], console, progress)


@dataclass
class _Progress:
    """Progress of the command; written files are complete."""

    written: int = 0
    total: int = 0
    failures: list[FailedPictureError] = field(default_factory=list)


@contextmanager
def _prepared(out: Path) -> Iterator[tuple[Console, _Progress]]:
    progress = _Progress()
    try:
        _make_folder(out)
        with quiet_streams(out / LOG) as console:
            yield console, progress
    except KeyboardInterrupt:
        done = f"{progress.written} of {counted(progress.total, 'image')}" if progress.total else "any image"
        click.echo(
            f"interrupted {'after' if progress.total else 'before'} {done}; the files in {out} are complete", err=True
        )
        sys.exit(INTERRUPTED)
    except UserError as error:
        if progress.total <= 1:
            raise
        raise UserError(
            f"{error}; {progress.written} of {progress.total} images are written{_list(progress)}"
        ) from error
    if progress.failures:
        raise _failure_error(progress)


def _predict(
    found: ImageFiles,
    answer: _Answer,
    answers: AnswerFiles,
    told: Sequence[str],
    console: Console,
    progress: _Progress,
) -> None:
    """Answers one image after the other; `told` says where the files are."""
    table, notes = _table(), list[str]()
    progress.total = len(found.images)
    try:
        with console.status("") as status:
            for number, image in enumerate(found.images, 1):
                place = f"image {number} of {progress.total}, " if progress.total > 1 else ""
                status.update(Text(f"predicting {place}{image.path.name}"))
                try:
                    figures = answer(image, _teller(status, place))
                except FailedPictureError as error:
                    progress.failures.append(error)
                    continue
                progress.written += 1
                notes += figures.notes
                _add_row(table, image.path, figures)
    finally:
        if table.row_count:
            answers.finish()
            console.print(table)
            for line in (*notes, *told):
                console.print(line, markup=False)
        if found.skipped_text:
            console.print(f"skipped, not images: {found.skipped_text}", markup=False)


def _teller(status: Status, place: str) -> _Tell:
    return lambda text: status.update(Text(f"predicting {place}{text}"))


def _failure_error(progress: _Progress) -> UserError:
    """Returns the error for images that could not be segmented: the reason for a single one, else a list."""
    if progress.total == 1:
        return progress.failures[0]
    count = len(progress.failures)
    rest = f"the other {progress.written} were written" if progress.written else "none was written"
    return UserError(f"{count} of {progress.total} images could not be segmented; {rest}{_list(progress)}")


def _list(progress: _Progress) -> str:
    return "".join(f"\n  {failure}" for failure in progress.failures)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / LOG).open("ab").close()
    except OSError as error:
        raise UserError(f"cannot write the folder {out}: {error.strerror}; name another with --out") from None


def _table() -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for heading in ("image", "share of each class"):
        table.add_column(heading, overflow="fold")
    for heading in ("confidence", "version"):
        table.add_column(heading, justify="right", overflow="fold")
    return table


def _add_row(table: Table, image: Path, found: _Figures) -> None:
    shares = sorted(((share, name) for name, share in found.shares.items()), reverse=True)
    text = ", ".join(f"{name} {share:.1%}" for share, name in shares if share > 0)
    version = "–" if found.version is None else str(found.version)
    table.add_row(Text(str(image)), Text(text), f"{found.mean_confidence:.3f}", version)
