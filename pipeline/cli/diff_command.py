"""CLI command that compares two runs, two versions, or a run and a version: `diff`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from common.errors import UserError
from pipeline.cli.options import handle_errors, registry_option, registry_uri
from pipeline.cli.output_file import check_writable, write_file

if TYPE_CHECKING:  # Imported when the command runs.
    from rich.console import Console
    from rich.table import Table

    from pipeline.comparison.comparison import Comparison
    from pipeline.comparison.side import Side

_NOT_JUDGED = "not compared on the same images, because the test images of neither version are in a workspace here"


@click.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@registry_option
@click.option(
    "--root",
    metavar="URI",
    help="Pipeline root of Kubeflow, below which runs are found by their IDs, as minio://mlpipeline/v2/artifacts.",
)
@click.option(
    "--images",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="Most test images that both models are run on.",
)
@click.option(
    "--shown", type=click.IntRange(min=0, max=50), default=8, show_default=True, help="Images drawn on the page."
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("diff.html"),
    show_default=True,
    help="HTML page to write.",
)
@handle_errors
def diff(a: str, b: str, registry: str | None, root: str | None, images: int, shown: int, out: Path) -> None:
    """Compare A with B, each a workspace (its newest finished run), a run of Kubeflow, or the number of a version.

    A run of Kubeflow is the address of its files, PIPELINE_ROOT/PIPELINE/RUN_ID (a local folder or a URI), or with
    --root its ID.

    Both models are run on the same test images, those of B, or of A if B's are not on this machine.  Shown are the
    metrics by class and slice with the interval of their difference, configuration, data, training, and the images on
    which the models differ most.  The images of a version are those of the run that pushed it.  If no workspace has
    them, two versions are compared by what the registry holds.

    \b
    Example:
      segpipe diff runs/before runs/after
      segpipe diff 3 runs/after --registry runs/before/registry
      segpipe diff 3 4 --registry runs/before/registry
      segpipe diff 7c9e6679-7425-40de-944b-e07fc1f90ae7 runs/after --root s3://mlpipeline/v2/artifacts
    """
    check_writable(out)
    from pipeline.cli.console import quiet_streams

    with tempfile.TemporaryDirectory() as folder, quiet_streams(Path(folder, "diff.log")) as console:
        from pipeline.comparison.comparison import compare  # Imports TensorFlow, which writes to standard error.
        from pipeline.comparison.page import comparison_page

        with console.status("comparing") as status:
            first = _side(a, registry, root, Path(folder, "a"), status.update)
            second = _side(b, registry, root, Path(folder, "b"), status.update)
            found = compare(first, second, images, shown, status.update)
        write_file(out, comparison_page(found))
        _print(console, found)
        console.print(f"page {out}", markup=False, soft_wrap=True)


def _side(name: str, registry: str | None, root: str | None, folder: Path, report: Callable[[str], None]) -> Side:
    """Returns the side that an argument names; files of a bucket are copied to `folder`."""
    from pipeline.comparison.kubeflow_run import find_run, kubeflow_side
    from pipeline.comparison.side import run_side, version_side
    from pipeline.local.metadata_file import METADATA
    from registry.store import Registry

    if name.isdecimal() and not Path(name).exists():
        return version_side(Registry(registry_uri(registry)), int(name))
    if "://" in name:
        return kubeflow_side(name, folder, report)
    if Path(name).is_dir():
        path = Path(name).absolute()
        return run_side(path) if (path / METADATA).is_file() else kubeflow_side(str(path), folder, report)
    if root:
        return kubeflow_side(find_run(root, name), folder, report)
    raise UserError(
        f"{name} is neither a folder (a workspace, or a run of Kubeflow) nor the number of a version; "
        "--root finds a run of Kubeflow by its ID"
    )


def _print(console: Console, found: Comparison) -> None:
    from pipeline.comparison.page import data_changes, searched

    if found.judged:
        console.print(_judged(found))
    else:
        console.print(f"{_NOT_JUDGED}: {', '.join(searched(found)) or 'none'}", markup=False, soft_wrap=True)
        console.print(_recorded(found))
    if found.is_one_model:
        console.print("⚠ A and B are the same model", markup=False)
    if found.other_pipelines:
        console.print(f"⚠ {found.other_pipelines}", markup=False, soft_wrap=True)
    if found.known:
        console.print(
            f"[bold yellow]⚠[/] A was trained on, or stopped by, {found.known} of these images: it is flattered"
        )
    for setting in found.settings:
        console.print(f"{setting.key}: {setting.a} → {setting.b}", markup=False, soft_wrap=True)
    for how, ids in data_changes(found).items():
        console.print(f"pairs {how}: {len(ids)}", markup=False)


def _judged(found: Comparison) -> Table:
    """Returns the metrics on the same images: all of the whole split, and the mean IoU of slices."""
    from components.report import formats
    from pipeline.comparison.side import OVERALL

    images = f"metric ({found.judged} of {found.available} test images)"
    table = _table(images, "A", "B", "change", "95 % interval")
    for place, metrics in found.metrics.items():
        for each in metrics if place == OVERALL else [each for each in metrics if each.metric == "mean_iou"]:
            interval = "" if each.low is None else f"{formats.change(each.low)} to {formats.change(each.high)}"
            style = ("green" if each.change > 0 else "red") if each.is_clear else None
            name = f"{each.metric} {place}".strip()
            table.add_row(name, f"{each.a:.3f}", f"{each.b:.3f}", formats.change(each.change), interval, style=style)
    return table


def _recorded(found: Comparison) -> Table:
    """Returns the figures of two versions when they were pushed: all of the whole split, and the mean IoU of slices."""
    from components.report import formats

    data = "same data" if found.a.fingerprint == found.b.fingerprint else "other data"
    table = _table(f"metric (recorded when pushed, {data})", "A", "B", "change")
    for each in found.recorded:
        if not each.place or each.metric == "mean_iou":
            values = (f"{formats.ratio(one.value)} {formats.interval(one)}".strip() for one in (each.a, each.b))
            table.add_row(f"{each.metric} {each.place}".strip(), *values, formats.change(each.change))
    return table


def _table(*headings: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", overflow="fold")
    return table
