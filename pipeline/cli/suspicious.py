"""`segpipe suspicious`: which run is meant, and the files that are written."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError
from common.plurals import counted
from pipeline.cli.output_file import write_file

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.labelling.judges import JudgedRun
    from pipeline.labelling.suspects import Suspects
    from pipeline.labelling.suspicion import Suspicion

_CONFIGURATIONS = (".yaml", ".yml")
_PRINTED = 10
_OUT_OF_FOLD = "no mask is judged by a model that was trained on it"


def write_suspects(
    run: str, overrides: Sequence[str], number: int, confident: float, out: Path, sheet: Path | None
) -> None:
    """Ranks the pairs of a run, writes the files, and says what was found.

    Raises:
        UserError: there is no finished run, or no pair can be judged.
    """
    from pipeline.cli.console import quiet_streams

    workspace = _workspace(run, overrides)
    with tempfile.TemporaryDirectory(prefix="segpipe-") as scratch, quiet_streams(Path(scratch, "log")) as console:
        with console.status("reading the run") as status:
            from pipeline.labelling.judges import judged_run
            from pipeline.labelling.suspects import find_suspects
            from pipeline.local.finished_run import newest_finished_run

            judged = judged_run(workspace, newest_finished_run(workspace))
            suspects = find_suspects(judged, number, confident, status.update)
            if not suspects.judged:
                raise UserError(f"no pair of {workspace} can be judged: {_counts(suspects)}")
            status.update("writing")
            _write_table(suspects, judged.classes, out)
            if sheet is not None:
                _write_sheet(judged, suspects, sheet)
        _print(console, judged, suspects, [out, *([sheet] if sheet else [])])


def _workspace(run: str, overrides: Sequence[str]) -> Path:
    from pipeline.config.run_config import load_config

    if run.endswith(_CONFIGURATIONS):
        return load_config(run, overrides).workspace_dir
    if overrides:
        raise UserError(f"--set is for a configuration (.yaml), and {run} is none: leave it out")
    if not Path(run).is_dir():
        raise UserError(f"{run} is neither a configuration (.yaml) nor the workspace of a run")
    return Path(run).absolute()


def _write_table(suspects: Suspects, classes: Sequence[str], out: Path) -> None:
    import pyarrow as pa

    from pipeline.labelling.row_files import encode_rows

    region = pa.struct(
        [
            pa.field("label", pa.string()),
            pa.field("predicted", pa.string()),
            pa.field("pixels", pa.int64()),
            pa.field("confidence", pa.float64()),
            pa.field("box", pa.list_(pa.int32())),
        ]
    )
    schema = pa.schema(
        [
            pa.field("rank", pa.int32()),
            pa.field("id", pa.string()),
            pa.field("split", pa.string()),
            pa.field("seen", pa.string()),
            pa.field("score", pa.float64()),
            pa.field("reason", pa.string()),
            pa.field("contradicted_share", pa.float64()),
            pa.field("class_scores", pa.struct([pa.field(name, pa.float64()) for name in classes])),
            pa.field("regions", pa.list_(region)),
        ]
    )
    write_file(out, encode_rows(_rows(suspects, classes), schema, out))


def _rows(suspects: Suspects, classes: Sequence[str]) -> list[dict[str, Any]]:
    return [_row(rank, suspect.suspicion, classes) for rank, suspect in enumerate(suspects.found, 1)]


def _row(rank: int, found: Suspicion, classes: Sequence[str]) -> dict[str, Any]:
    regions = [
        {**one._asdict(), "label": classes[one.label], "predicted": classes[one.predicted], "box": list(one.box)}
        for one in found.contradictions
    ]
    plain = {key: value for key, value in found._asdict().items() if key not in ("class_scores", "contradictions")}
    scores = {name: found.class_scores.get(name) for name in classes}
    return {"rank": rank, **plain, "class_scores": scores, "regions": regions}


def _write_sheet(run: JudgedRun, suspects: Suspects, sheet: Path) -> None:
    """Draws the suspicious pairs, whose images are read again."""
    from pipeline.labelling.contact_page import contact_page, sheet_row
    from pipeline.labelling.probability_model import picture
    from pipeline.labelling.suspects import labelled_records, read_mask

    wanted = {(found.split, found.id): rank for rank, (found, _) in enumerate(suspects.found, 1)}
    rows = []
    for judge in run.judges:
        for record in labelled_records(run, judge):
            rank = wanted.get((record.pair.split, record.pair.id))
            if rank is not None:
                found, predicted = suspects.found[rank - 1]
                text = f"score {found.score:.4f} ({found.split}, {found.seen}): {found.reason}"
                masks = read_mask(predicted), read_mask(record.mask)
                rows.append(sheet_row(rank, found.id, text, picture(record.image), *masks))
    notes = [_counts(suspects), *([_OUT_OF_FOLD] if run.is_out_of_fold else [])]
    page = contact_page("Suspicious masks", notes, rows, run.classes, _warning(run, suspects))
    write_file(sheet, page, "--sheet")


def _print(console: Console, run: JudgedRun, suspects: Suspects, written: Sequence[Path]) -> None:
    for rank, (found, _) in enumerate(suspects.found[:_PRINTED], 1):
        line = f"{rank}. {found.id} ({found.split}, {found.seen}), score {found.score:.4f}: {found.reason}"
        console.print(line, markup=False, soft_wrap=True)
    if len(suspects.found) > _PRINTED:
        console.print(f"… {len(suspects.found) - _PRINTED} more in the table")
    for line in (
        _counts(suspects),
        *(f"not judged: {line}" for line in suspects.rejections.lines()),
        _OUT_OF_FOLD if run.is_out_of_fold else f"warning: {_warning(run, suspects)}",
        f"written: {', '.join(map(str, written))}",
    ):
        console.print(line, markup=False, soft_wrap=True)


def _counts(suspects: Suspects) -> str:
    are = "is" if len(suspects.found) == 1 else "are"
    text = f"{len(suspects.found)} of {counted(suspects.judged, 'judged pair')} {are} listed"
    text += f", {suspects.void} have no labelled pixel" if suspects.void else ""
    return text + (f", {suspects.rejections.number} are not judged" if suspects.rejections.number else "")


def _warning(run: JudgedRun, suspects: Suspects) -> str:
    """Returns a warning if the model has seen the masks: a score of a mask that it learnt is too good."""
    if run.is_out_of_fold:
        return ""
    counts = Counter(found.seen for found, _ in suspects.found)
    listed = ", ".join(f"{number} {word}" for word, number in sorted(counts.items()))
    return (
        "the model was trained on the masks of the split train, and its epoch was chosen by those of eval, so their "
        f"scores are too good and a wrong mask may be missed (listed: {listed}); `segpipe crossval` gives each pair a "
        "model that has not seen it"
    )
