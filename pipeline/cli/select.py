"""`segpipe select`: which models and images are meant, and the files that are written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from common.errors import UserError
from common.plurals import counted
from pipeline.cli.output_file import write_file
from pipeline.cli.predict_batch import OpenedModel, SourceOptions, batch_source, open_model

if TYPE_CHECKING:
    from rich.console import Console

    from components.batch_predictor.config import BatchPredictionConfig
    from pipeline.labelling.contact_page import SheetRow
    from pipeline.labelling.selection import PredictedImage, Selection, Selector
    from pipeline.labelling.source_images import SourceImages

_PRINTED = 10


class Models(NamedTuple):
    """The model, and the one that it is compared with."""

    model: OpenedModel
    other: OpenedModel | None


class SelectOptions(NamedTuple):
    """Options of the command that say what is written."""

    number: int
    out: Path
    tasks: str | None
    address: str | None
    sheet: Path | None


def open_models(model: str, version: int | None, other: str | None) -> Models:
    """Returns the models that the arguments name; `other` may be a version of the same registry.

    Raises:
        UserError: there is no such model, or the two have other classes or bands.
    """
    first = open_model(model, version, ())
    if other is None:
        return Models(first, None)
    if other.isdecimal() and not Path(other).exists():
        second = open_model(model, int(other), ())
    else:
        second = open_model(other, None, ())
    if first.facts.classes != second.facts.classes:
        raise UserError(
            f"the classes differ, so the models cannot disagree: {', '.join(first.facts.classes)} of {first.facts}, "
            f"{', '.join(second.facts.classes)} of {second.facts}; name another model with --other"
        )
    if first.facts.bands != second.facts.bands:
        raise UserError(
            f"{first.facts} and {second.facts} take images of other bands, so they cannot judge the same files; name "
            "another model with --other"
        )
    if first.facts.content_hash == second.facts.content_hash:
        raise UserError(f"--other names the same model, {second.facts}, which always agrees; name another version")
    return Models(first, second)


def select_images(models: Models, source: str, source_options: SourceOptions, options: SelectOptions) -> None:
    """Chooses images, writes the files, and says what was done.

    Raises:
        UserError: the source has no image that the model takes, or a file cannot be written.
    """
    from components.batch_predictor.config import BatchPredictionConfig
    from pipeline.cli.console import quiet_streams

    section = batch_source(source, source_options)
    if options.tasks and section["type"] == "records":
        raise UserError("--tasks is for image files, which a labelling tool opens, and SOURCE is record files")
    config = BatchPredictionConfig.model_validate({"source": section, "out": str(options.out)})
    with tempfile.TemporaryDirectory(prefix="segpipe-") as scratch, quiet_streams(Path(scratch, "log")) as console:
        with console.status("loading the model") as status, _selector(models, scratch) as selector:
            images = _images(models.model, config.with_absolute_paths())
            found = selector.select(images, options.number, status.update)
            status.update("writing")
            written = _write(models, selector, images, found, options)
        _print(console, found, options.number, written)


@contextmanager
def _selector(models: Models, scratch: str) -> Iterator[Selector]:
    from components.batch_predictor.loaded_model import LoadedModel
    from components.batch_predictor.out_folder import OutFolder
    from pipeline.labelling.probability_model import ProbabilityModel
    from pipeline.labelling.selection import Selector

    with ExitStack() as stack:
        copy = stack.enter_context(models.model.provide(OutFolder(f"{scratch}/model")))
        model, other = ProbabilityModel(copy.folder, models.model.config), None
        if models.other is not None:
            other = LoadedModel(stack.enter_context(models.other.provide(OutFolder(f"{scratch}/other"))).folder)
        yield Selector(model, other, len(models.model.facts.classes))


def _images(model: OpenedModel, config: BatchPredictionConfig) -> SourceImages:
    from pipeline.labelling.source_images import SourceImages

    return SourceImages(config.source, model.facts, config.batch_size, config.batch_pixels, config.max_bytes)


def _write(
    models: Models, selector: Selector, images: SourceImages, found: Selection, options: SelectOptions
) -> list[Path]:
    """Writes the table, and tasks and contact sheet if they are asked for; returns the files."""
    files: dict[Path, bytes] = {options.out: _table(models.model, found, options.out)}
    if options.tasks or options.sheet:
        files |= _files_with_masks(models, selector, images, found, options)
    for path, content in files.items():
        write_file(path, content, "--sheet" if path == options.sheet else "--out")
    return list(files)


def _table(model: OpenedModel, found: Selection, out: Path) -> bytes:
    import pyarrow as pa

    from pipeline.labelling.row_files import encode_rows

    numbers = [pa.field(name, pa.float64()) for name in ("score", "entropy", "margin", "disagreement", "distance")]
    columns = [pa.field("rank", pa.int32()), pa.field("path", pa.string()), *numbers, pa.field("reason", pa.string())]
    columns += [pa.field("model", pa.string()), pa.field("model_version", pa.int32())]
    who = {"model": model.facts.name, "model_version": model.facts.version}
    return encode_rows(({**chosen._asdict(), **who} for chosen in found.chosen), pa.schema(columns), out)


def _files_with_masks(
    models: Models, selector: Selector, images: SourceImages, found: Selection, options: SelectOptions
) -> dict[Path, bytes]:
    from pipeline.labelling.contact_page import contact_page
    from pipeline.labelling.pre_annotation import PreAnnotation

    model, other = models
    classes = model.facts.classes
    tasks, rows = _task_writer(options, classes, str(model.facts)), []
    reasons = {chosen.path: chosen.reason for chosen in found.chosen}
    for image in selector.masks(images, found.chosen):
        if tasks is not None:
            tasks.add(image.rank, PreAnnotation(image.path, image.mask_HW, image.mean_confidence))
        if options.sheet is not None:
            rows.append(_sheet_row(image, reasons[image.path]))
    texts: Mapping[str, str] = tasks.files() if tasks else {}
    files = {options.out.with_suffix(suffix): text.encode() for suffix, text in texts.items()}
    if options.sheet is not None:
        notes = [
            f"Chosen by {model.facts}{f', beside {other.facts}' if other else ''}.",
            *_counts(found, options.number),
        ]
        files[options.sheet] = contact_page("Images worth labelling", notes, rows, classes).encode()
    return files


def _task_writer(options: SelectOptions, classes: Sequence[str], model: str) -> Any:
    from pipeline.labelling.cvat_tasks import CvatTasks
    from pipeline.labelling.label_studio_tasks import LOCAL_FILES, LabelStudioTasks

    if options.tasks is None:
        return None
    if options.tasks == "cvat":
        return CvatTasks(classes)
    return LabelStudioTasks(classes, model, LOCAL_FILES if options.address is None else options.address)


def _sheet_row(image: PredictedImage, reason: str) -> SheetRow:
    from pipeline.labelling.contact_page import sheet_row
    from pipeline.labelling.probability_model import picture

    return sheet_row(image.rank, image.path, reason, picture(image.encoded), image.mask_HW, other_HW=image.other_HW)


def _print(console: Console, found: Selection, number: int, written: Sequence[Path]) -> None:
    for chosen in found.chosen[:_PRINTED]:
        console.print(f"{chosen.rank}. {chosen.path}: {chosen.reason}", markup=False, soft_wrap=True)
    if len(found.chosen) > _PRINTED:
        console.print(f"… {len(found.chosen) - _PRINTED} more in the table")
    for line in (*_counts(found, number), *(f"rejected: {line}" for line in found.rejections.lines())):
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"written: {', '.join(map(str, written))}", markup=False, soft_wrap=True)


def _counts(found: Selection, number: int) -> list[str]:
    """Returns what became of all images."""
    duplicates = counted(found.duplicates, "near duplicate", "near duplicates")
    others = f", {duplicates} of a more uncertain one" if found.duplicates else ""
    others += f", {found.rejections.number} rejected" if found.rejections.number else ""
    are = "is" if len(found.chosen) == 1 else "are"
    fewer = f"; {number} were asked for" if len(found.chosen) < number else ""
    return [f"{len(found.chosen)} of {counted(found.judged, 'judged image')} {are} chosen{others}{fewer}"]
