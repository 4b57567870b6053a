"""The command `segpipe`.

TensorFlow and TFX are imported only by the commands that need them, after their arguments are validated.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from common.errors import UserError
from common.records import MAX_FOLDS
from common.start_up import collect_seldom
from common.tensorflow_environment import set_tensorflow_environment
from common.webhook import WEBHOOK_VARIABLE
from pipeline import __version__
from pipeline.cli.beam_command import beam_server
from pipeline.cli.card_command import card
from pipeline.cli.dashboard import dashboard
from pipeline.cli.diff_command import diff
from pipeline.cli.export_command import export
from pipeline.cli.kubeflow_commands import COMMANDS as KUBEFLOW_COMMANDS
from pipeline.cli.monitor_command import monitor
from pipeline.cli.number_types import ANY_PORT, FiniteRange
from pipeline.cli.options import (
    CommandGroup,
    config_argument,
    date_option,
    handle_errors,
    handle_errors_and_resume,
    registry_option,
    registry_uri,
    set_option,
)
from pipeline.cli.output_file import check_writable, write_file
from pipeline.cli.predict_batch_command import predict_batch
from pipeline.cli.select_command import select
from pipeline.cli.serving_commands import COMMANDS as SERVING_COMMANDS
from pipeline.cli.suspicious_command import suspicious
from pipeline.cli.weights_command import convert_weights

DEFAULT_FOLDS = 5
_HAVE_THREADS = frozenset({"tensorflow", "apache_beam"})

no_cache_option = click.option("--no-cache", is_flag=True, help="Run every step, even if its inputs have not changed.")


def main() -> None:
    """Runs a command and turns an error into one sentence; the console script.

    All results are written when a command returns, so a process that has loaded TensorFlow or Beam ends at once: the
    shutdown of the interpreter beside their threads has crashed (SIGABRT) after success.
    """
    try:
        cli(prog_name="segpipe")
    except SystemExit as ended:
        _mute()
        if _HAVE_THREADS.isdisjoint(sys.modules):
            raise
        atexit._run_exitfuncs()  # They remove temporary folders and end child processes.
        os._exit(ended.code if isinstance(ended.code, int) else int(ended.code is not None))


def _mute() -> None:
    """Discards all further output: TensorFlow's destructors may print tracebacks after the command has ended."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
        os.dup2(nowhere, descriptor)


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="segpipe")
def cli() -> None:
    """From images and masks to a blessed, pushed and served segmentation model.

    \b
    segpipe sample-data build/sample-data
    segpipe run pipeline/configs/sample.yaml
    segpipe predict image.jpg
    """
    collect_seldom()
    set_tensorflow_environment()


@cli.command()
@config_argument
@set_option
@date_option
@no_cache_option
@handle_errors_and_resume
def run(config: Path, overrides: tuple[str, ...], date: str, no_cache: bool) -> None:
    """Run the pipeline that CONFIG describes, on this machine.

    Steps whose data, parameters and code have not changed are cached; an interrupted training resumes from its last
    checkpoint.  With `when_unchanged: skip` nothing runs if the served version was made from the same data and
    configuration.

    \b
    Example:
      segpipe run pipeline/configs/sample.yaml --set trainer.epochs=5
    """
    _run(config, overrides, date, no_cache)


@cli.command()
@config_argument
@click.option(
    "--folds",
    type=click.IntRange(2, MAX_FOLDS),
    help=f"Number of folds.  [default: data.split.folds of CONFIG, or else {DEFAULT_FOLDS}]",
)
@set_option
@date_option
@no_cache_option
@handle_errors_and_resume
def crossval(config: Path, folds: int | None, overrides: tuple[str, ...], date: str, no_cache: bool) -> None:
    """Run the pipeline with a model for each of several folds; the average of the models is evaluated and pushed.

    All data outside the test split is divided into folds: groups stay together, and strata (`data.split.stratify`) are
    balanced.  Each model is trained without one fold and evaluated on it.  The same as `segpipe run` with
    `data.split.folds`, which a compiled pipeline has too.

    \b
    Example:
      segpipe crossval pipeline/configs/sample.yaml --folds 3
    """
    from pipeline.config.run_config import load_config

    if folds is None:
        folds = load_config(config, overrides).data.split.folds or DEFAULT_FOLDS
    _run(config, (*overrides, f"data.split.folds={folds}"), date, no_cache)


def _run(config: Path, overrides: tuple[str, ...], date: str, no_cache: bool) -> None:
    from rich.markup import escape

    from pipeline.cli.console import quiet_streams
    from pipeline.cli.summary import print_summary
    from pipeline.config.run_config import load_config
    from pipeline.dag.run_date import parse_run_date
    from pipeline.local.run import log_file, run_pipeline
    from pipeline.local.run_journal import Origin

    settings, day = load_config(config, overrides), parse_run_date(date)
    log = log_file(settings)
    command = ("segpipe", "run", str(config), *(word for each in overrides for word in ("--set", each)))
    try:
        with quiet_streams(log) as console:
            console.print(f"[bold]{settings.name}[/] [dim]log: {escape(str(log))}[/]", soft_wrap=True)
            outcome = run_pipeline(settings, console, cache=not no_cache, date=day, origin=Origin(log, command))
            if outcome is not None:
                print_summary(console, outcome, log)
    except Exception:
        with contextlib.suppress(OSError), log.open("a") as file:  # Writing the log may be what failed.
            traceback.print_exc(file=file)
        raise


@cli.command("sample-data")
@click.argument("directory", type=click.Path(path_type=Path))
@handle_errors
def sample_data(directory: Path) -> None:
    """Create the sample data in DIRECTORY: digits in coloured ink on photographs.

    \b
    Example:
      segpipe sample-data build/sample-data
    """
    from pipeline.cli.sample_data import write_sample_data

    if not write_sample_data(directory, click.echo):
        click.echo(f"the sample data in {directory} is complete")


@cli.command()
@config_argument
@set_option
@date_option
@handle_errors
def check(config: Path, overrides: tuple[str, ...], date: str) -> None:
    """Check CONFIG and its data without a run: what would be used, what quarantined, what would stop a run.

    If the schema does not exist yet, a first one is inferred from the data, for a person to review and correct.

    \b
    Example:
      segpipe check pipeline/configs/nuclei.yaml
    """
    from pipeline.cli.check import check_data
    from pipeline.config.run_config import load_config
    from pipeline.dag.run_date import parse_run_date

    check_data(load_config(config, overrides), parse_run_date(date))


@cli.command()
@config_argument
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file to write.  [default: build/NAME-plan.yaml]",
)
@click.option(
    "--memory",
    type=FiniteRange(min=0, min_open=True),
    default=8.0,
    show_default=True,
    metavar="GB",
    help="Memory for a training step, of the GPU if there is one.",
)
@set_option
@date_option
@handle_errors
def plan(config: Path, out: Path | None, memory: float, overrides: tuple[str, ...], date: str) -> None:
    """Propose settings that suit the data of CONFIG, each with its reason, as a patch for --set @FILE.

    \b
    Example:
      segpipe plan pipeline/configs/nuclei.yaml
      segpipe check pipeline/configs/nuclei.yaml --set @build/nuclei-plan.yaml
    """
    from pipeline.cli.plan import write_plan
    from pipeline.config.run_config import load_config
    from pipeline.dag.run_date import parse_run_date

    settings, day = load_config(config, overrides), parse_run_date(date)
    write_plan(settings, config, out or Path("build") / f"{settings.name}-plan.yaml", memory, day)


@cli.command("compile")
@config_argument
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="YAML file to write; - is standard output.  [default: build/NAME.yaml]",
)
@set_option
@handle_errors
def compile_(config: Path, out: Path | None, overrides: tuple[str, ...]) -> None:
    """Compile CONFIG for Kubeflow Pipelines: a PipelineSpec to upload, with a platform document for Kubernetes.

    Paths are those of the cluster: relative ones are on the volume that `kubeflow.volume` names.

    \b
    Example:
      segpipe compile pipeline/configs/sample.yaml -o build/sample.yaml
    """
    from pipeline.config.run_config import load_config

    settings = load_config(config, overrides)
    path = out or Path("build") / f"{settings.name}.yaml"
    to_standard_output = path == Path("-")
    if not to_standard_output:
        check_writable(path)

    from pipeline.kubeflow.compile.compiler import compile_quietly
    from pipeline.kubeflow.compile.non_tfx_tasks import run_parameters
    from pipeline.kubeflow.compile.paths import on_cluster

    text = compile_quietly(settings)
    if to_standard_output:
        click.echo(text, nl=False)
        return
    write_file(path, text)
    click.echo(f"{path} is written; parameters of a run:")
    for name, parameter in run_parameters(on_cluster(settings)).items():
        click.echo(f"  {name} = {parameter['defaultValue']!r}  {parameter['description']}")


@cli.command()
@config_argument
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("preview.png"),
    show_default=True,
    help="PNG file to write.",
)
@set_option
@handle_errors
def preview(config: Path, out: Path, overrides: tuple[str, ...]) -> None:
    """Draw what training will see: images and masks of CONFIG's data, as they are and augmented at random.

    \b
    Example:
      segpipe preview pipeline/configs/nuclei.yaml --set 'trainer.augmentation.rotate={degrees: 30}'
    """
    from pipeline.cli.preview import write_preview
    from pipeline.config.run_config import load_config

    write_preview(load_config(config, overrides), out)


@cli.command()
@config_argument
@set_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 means all.")
@click.option("--port", type=ANY_PORT, default=6006, show_default=True, help="Port of the page; 0 means any free port.")
@handle_errors
def tensorboard(config: Path, overrides: tuple[str, ...], host: str, port: int) -> None:
    """Show the trainings of CONFIG in TensorBoard: curves, predictions, hyperparameters; also while they run.

    \b
    Example:
      segpipe tensorboard pipeline/configs/sample.yaml
    """
    from pipeline.cli.tensorboard import open_tensorboard
    from pipeline.config.run_config import load_config

    open_tensorboard(load_config(config, overrides), host, port)


@cli.command()
@registry_option
@handle_errors
def versions(registry: str | None) -> None:
    """List the versions in the registry, and which of them is served.

    \b
    Example:
      segpipe versions --registry runs/sample/registry
    """
    from pipeline.cli.console import make_console
    from registry.listing import WIDTH, version_rows, versions_table

    make_console(least_width=WIDTH).print(versions_table(version_rows(registry_uri(registry))))


@cli.command()
@click.argument("version", type=int, required=False)
@registry_option
@handle_errors
def rollback(version: int | None, registry: str | None) -> None:
    """Roll back to VERSION, or to the version that was served before the current one.

    \b
    Example:
      segpipe rollback 3 --registry runs/sample/registry
    """
    from pipeline.cli.rollout import roll_back_to

    click.echo(roll_back_to(registry_uri(registry), version))


@cli.command()
@click.argument("images", type=click.Path(path_type=Path), nargs=-1, required=True)
@registry_option
@click.option("--version", type=int, help="Version to use.  [default: the served one]")
@click.option(
    "--url",
    metavar="ADDRESS",
    help="Use a server instead: http://HOST:8501/v1/models/NAME, grpc://HOST:8500/v1/models/NAME, or, with the Open "
    "Inference Protocol, v2+http://HOST:8501/v2/models/NAME or v2+grpc://HOST:8500/v2/models/NAME.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/predictions"),
    show_default=True,
    help="Folder for what is written, such as NAME.mask.png (class indices) and NAME.overlay.png.",
)
@click.option(
    "--format",
    type=click.Choice(("png", "coco", "labelme", "geojson", "gpkg")),
    default="png",
    show_default=True,
    help="Masks and overlays, or annotations that COCO's tools, LabelMe or GIS programs open; gpkg for GeoTIFFs only.",
)
@handle_errors
def predict(
    images: tuple[Path, ...], registry: str | None, version: int | None, url: str | None, out: Path, format: str
) -> None:
    """Segment IMAGES, files or folders of them, with the served model, in this process or on a server.

    A refused image does not stop the others: refused images are listed at the end, and the exit status is 1.  In a
    folder and its subfolders, files with an image's suffix are segmented; outputs have the same relative paths in OUT.
    A GeoTIFF of any size is read by windows, and gets a georeferenced mask, NAME.mask.tif; with --format geojson or
    gpkg also polygons in map coordinates.

    \b
    Example:
      segpipe predict build/sample-data/images/scene-000.jpg
      segpipe predict build/sample-data/images --out build/masks
      segpipe predict photos --format coco --out photos/predicted
      segpipe predict scene.tif --format gpkg
      segpipe predict image.png --url http://localhost:8501/v1/models/sample
    """

    missing = [str(image) for image in images if not image.exists()]
    if missing:
        raise UserError(f"image not found: {', '.join(missing)}")
    if url is None:
        uri = registry_uri(registry)
        from pipeline.cli.predict import predict_here

        predict_here(images, uri, version, out, format)
        return
    if version is not None:
        raise UserError(f"with --url the version is a part of the address: …/v1/models/NAME/versions/{version}")
    from pipeline.cli.predict import predict_there

    predict_there(images, url, out, format)


@cli.command()
@registry_option
@click.option("--version", type=int, help="Serve this version instead of the one that the registry serves.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 means all.")
@click.option(
    "--port", type=ANY_PORT, default=8501, show_default=True, help="Port of the REST API; 0 means any free port."
)
@click.option(
    "--grpc-port", type=ANY_PORT, default=8500, show_default=True, help="Port of gRPC; 0 means any free port."
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "embedded", "tensorflow_model_server"]),
    default="auto",
    show_default=True,
    help="auto means tensorflow_model_server if it is on the PATH and --host is 0.0.0.0, else embedded.",
)
@click.option(
    "--poll", default=5.0, show_default=True, metavar="SECONDS", help="Interval between two polls of the registry."
)
@click.option("--timeout", default=30.0, show_default=True, metavar="SECONDS", help="Timeout of a request.")
@click.option(
    "--grace",
    default=20.0,
    show_default=True,
    metavar="SECONDS",
    help="Time for running requests to finish at shutdown.",
)
@click.option("--max-body", default=32, show_default=True, metavar="MB", help="Maximum size of a request.")
@click.option("--max-pictures", default=32, show_default=True, help="Maximum number of images in a request.")
@click.option("--max-requests", default=64, show_default=True, help="Maximum number of requests that wait or run.")
@click.option("--max-jobs", default=8, show_default=True, help="Maximum number of batch jobs; 0 switches them off.")
@click.option(
    "--batch", type=int, help="Maximum number of images in a batch.  [default: 8; with tensorflow_model_server 1]"
)
@click.option(
    "--batch-wait", default=0.0, show_default=True, metavar="SECONDS", help="How long to wait for a fuller batch."
)
@click.option(
    "--allow-origin",
    multiple=True,
    metavar="ORIGIN",
    help="Allow web pages of ORIGIN (https://HOST[:PORT], or * for any) to call the REST API; may be repeated.",
)
@click.option("--workers", default=2, show_default=True, help="Number of batches that run in parallel.")
@click.option(
    "--log", metavar="URI", help="Write a request log to this folder or bucket, for `segpipe monitor`.  [default: none]"
)
@click.option("--log-sample", type=float, metavar="SHARE", help="Share of the images that is logged.  [default: 1]")
@click.option("--log-rows", type=int, help="Rows after which a file is written.  [default: 5000]")
@click.option("--log-seconds", type=float, metavar="SECONDS", help="Time after which a file is written.  [default: 60]")
@click.option("--log-queue", type=int, help="Most images that wait to be logged; others are dropped.  [default: 1000]")
@click.option("--log-images", is_flag=True, help="Keep the images too, with a retention.")
@click.option("--log-image-days", type=int, metavar="DAYS", help="Days that images are kept.  [default: 7]")
@click.option("--log-image-megabytes", type=int, metavar="MB", help="Most megabytes of kept images.  [default: 1000]")
@click.option(
    "--decide-canaries/--no-decide-canaries",
    default=True,
    show_default=True,
    help="Try canaries that a run has pushed (pusher.strategy: canary), and promote or roll them back.",
)
@click.option(
    "--webhook",
    envvar=WEBHOOK_VARIABLE,
    metavar="URL",
    help=f"Webhook to notify of these decisions, or {WEBHOOK_VARIABLE}.",
)
@handle_errors
def serve(registry: str | None, engine: str, **options: Any) -> None:
    """Serve the model to apps over gRPC and REST, with TensorFlow Serving's protocols.

    \b
    Example:
      segpipe serve --registry runs/sample/registry --port 8501
    """
    from pipeline.cli.serve import serve_registry

    serve_registry(registry_uri(registry), engine, options)


_COMMANDS = (beam_server, card, convert_weights, dashboard, diff, export, monitor, predict_batch, select, suspicious)
for _command in (*_COMMANDS, *KUBEFLOW_COMMANDS, *SERVING_COMMANDS):
    cli.add_command(_command)


@cli.group(cls=CommandGroup)
def schema() -> None:
    """Work with the curated schema, which data must conform to."""


@schema.command()
@config_argument
@set_option
@click.option("--force", is_flag=True, help="Overwrite an existing schema.")
@handle_errors
def infer(config: Path, overrides: tuple[str, ...], force: bool) -> None:
    """Infer a first schema from the data of CONFIG, for a person to review and correct.

    \b
    Example:
      segpipe schema infer pipeline/configs/nuclei.yaml
    """
    from pipeline.cli.check import infer_schema_file
    from pipeline.config.run_config import load_config

    infer_schema_file(load_config(config, overrides), force)


if __name__ == "__main__":
    main()
