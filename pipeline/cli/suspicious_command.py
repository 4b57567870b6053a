"""CLI command that ranks masks which the model contradicts: `suspicious`."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.number_types import FiniteRange
from pipeline.cli.options import handle_errors, set_option
from pipeline.cli.output_file import check_all_writable

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("suspicious")
@click.argument("run")
@click.option("-o", "--out", type=_FILE, required=True, help="Table to write: .parquet or .jsonl.")
@click.option("--number", type=click.IntRange(min=1), default=50, show_default=True, help="Pairs to list.")
@click.option(
    "--confidence",
    type=FiniteRange(0, 1),
    default=0.8,
    show_default=True,
    help="Probability of another class from which a pixel contradicts its label.",
)
@click.option("--sheet", type=_FILE, help="Also write an HTML page with images, masks and predictions.")
@set_option
@handle_errors
def suspicious(
    run: str, out: Path, number: int, confidence: float, sheet: Path | None, overrides: tuple[str, ...]
) -> None:
    """Rank the pairs of RUN by how much the model contradicts their masks, which may be wrong.

    RUN is a configuration, or the workspace of a run; the newest finished run counts.  The score is the soft minimum of
    the probabilities that the labels of the pixels have; a low one is suspicious.  After a cross-validation each pair
    is judged by the model that was trained without it; else the scores of masks that the model was trained on are too
    good, and the command says so.

    \b
    Example:
      segpipe suspicious pipeline/configs/sample.yaml --out build/suspicious.jsonl --sheet build/suspicious.html
    """
    from pipeline.labelling.row_files import check_suffix

    check_suffix(out)
    check_all_writable({"--out": out, "--sheet": sheet})

    from pipeline.cli.suspicious import write_suspects

    write_suspects(run, overrides, number, confidence, out, sheet)
