"""`segpipe predict`: writes masks and overlays of images, from a model in this process or on a server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from common.errors import UserError
from pipeline.cli.answer_files import AnswerFiles, Prediction, answer_files
from pipeline.cli.console import quiet_streams
from pipeline.cli.image_encoding import ServerEncoding, encoding_of
from pipeline.cli.image_files import ImageFiles, find_images
from pipeline.cli.options import INTERRUPTED
from registry.store import Registry
from segpipe_client import SegmentationClient
from serving.errors import FailedPictureError
from serving.predictor import Predictor

LOG = "predict.log"
_PATIENCE_SECONDS = 5  # Short: a mistyped port must fail soon.


Ask = Callable[[Path], Prediction]


def predict_here(images: Sequence[Path], registry: str, version: int | None, out: Path, format: str = "png") -> None:
    """Writes the answers in one of `answer_files.FORMATS` and prints what was found.

    `images` are files or folders; a refused image does not stop the others.

    Raises:
        UserError: the model or an image is missing, or images were refused: the text has the reasons; the others are
            written.
    """
    found = find_images(images, out)
    with _prepared(out) as (console, progress):
        with console.status("loading the model"):
            predictor = Predictor(Registry(registry), version)
            encode = encoding_of(predictor.manifest.config)

        def ask(image: Path) -> Prediction:
            prediction = predictor.predict(image, encode)
            shares = dict(zip(predictor.classes, prediction.class_fractions_C.tolist(), strict=True))
            version, classes = predictor.manifest.version, predictor.classes
            confidence = prediction.mean_confidence
            return Prediction(prediction.mask_HW, shares, confidence, version, classes, prediction.picture)

        _predict(found, ask, answer_files(format, out), out, console, progress)


def predict_there(images: Sequence[Path], url: str, out: Path, format: str = "png") -> None:
    """Like `predict_here`, with the model at the address `url` of a server.

    Raises:
        UserError: `url` is not the address of a model, it does not answer, or as `predict_here`.
    """
    try:
        client = SegmentationClient(url, patience=_PATIENCE_SECONDS)
    except ValueError as error:
        raise UserError(str(error)) from None
    found = find_images(images, out)
    encoding = ServerEncoding(client)

    def ask(image: Path) -> Prediction:
        answer = encoding.segment(image)
        confidence, version = answer.mean_confidence, answer.model_version
        return Prediction(answer.mask_HW, answer.fractions, confidence, version, answer.class_names, answer.picture)

    with client, _prepared(out) as (console, progress):
        _predict(found, ask, answer_files(format, out), out, console, progress)


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
        done = f"{progress.written} of {progress.total} images" if progress.total else "any image"
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
    found: ImageFiles, ask: Ask, answers: AnswerFiles, out: Path, console: Console, progress: _Progress
) -> None:
    table = _table()
    progress.total = len(found.images)
    try:
        with console.status("") as status:
            for number, image in enumerate(found.images, 1):
                place = f"image {number} of {progress.total}, " if progress.total > 1 else ""
                status.update(Text(f"predicting {place}{image.path.name}"))
                try:
                    answer = ask(image.path)
                    answers.add(image, answer)
                except FailedPictureError as error:
                    progress.failures.append(error)
                    continue
                progress.written += 1
                _add_row(table, image.path, answer)
    finally:
        if table.row_count:
            answers.finish()
            console.print(table)
            console.print(f"{answers.told} {out}", markup=False)
        if found.skipped_text:
            console.print(f"skipped, not images: {found.skipped_text}", markup=False)


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
    table.add_column("image")
    table.add_column("share of each class")
    table.add_column("confidence", justify="right")
    table.add_column("version", justify="right")
    return table


def _add_row(table: Table, image: Path, found: Prediction) -> None:
    shares = sorted(((share, name) for name, share in found.shares.items()), reverse=True)
    text = ", ".join(f"{name} {share:.1%}" for share, name in shares if share > 0)
    version = "–" if found.version is None else str(found.version)
    table.add_row(Text(str(image)), Text(text), f"{found.mean_confidence:.3f}", version)
