"""Options, arguments and error handling that the commands of `segpipe` share."""

from __future__ import annotations

import contextlib
import functools
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from common.errors import RESUME, START_AGAIN, UserError, user_error_in
from common.interruption import INTERRUPTED, Interruption, interrupted_by_sigterm, interruption_in, output_closed
from common.machine_faults import describe, machine_fault_in
from common.plain_path import plain_temporary_files, without_aliases


class CommandGroup(click.Group):
    """Click group whose help shows each command's whole summary, on several lines if it is long."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands with their whole summaries, which click itself would cut to one line."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(_WHOLE)) for name, command in commands if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


_WHOLE = 1000
"""Characters: more than any summary has."""

config_argument = click.argument("config", type=click.Path(path_type=Path))
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE|@FILE",
    help="Override a key of the configuration, or those in a YAML file; may be repeated.",
)
date_option = click.option(
    "--date",
    metavar="DATE",
    default="",
    help="Date of the run, which selects the data if its paths contain {date}.  [default: today (UTC)]",
)
registry_option = click.option(
    "--registry",
    envvar="SEGPIPE_REGISTRY",
    metavar="URI",
    help="Model registry.  [default: that of the only run below runs/]",
)
images_option = click.option(
    "--images",
    "globs",
    multiple=True,
    metavar="GLOB",
    help="Images (or record files) in a folder SOURCE, such as '**/*.jpg'; may be repeated.  [default: all]",
)
column_option = click.option(
    "--column", default="image", show_default=True, help="Column of a manifest SOURCE with the images' paths."
)
root_option = click.option(
    "--root", metavar="FOLDER", help="Folder that a manifest's paths are relative to.  [default: that of the manifest]"
)


def registry_uri(given: str | None) -> str:
    """Returns the registry that `registry_option` names; it exists, but may be empty.

    Raises:
        UserError: no registry is named, and there is not exactly one below runs/; or the named one does not exist.
    """
    if given:
        uri = given if "://" in given else str(Path(given).absolute())
        _check_registry(uri)
        return uri
    found = sorted(Path("runs").glob("*/registry"))
    if len(found) == 1:
        return str(found[0].absolute())
    if not found:
        raise UserError("no registry found below runs/; name one with --registry, or create one with `segpipe run`")
    raise UserError(f"several registries below runs/; name one with --registry: {', '.join(map(str, found))}")


def _check_registry(uri: str) -> None:
    """Checks that `uri` can be a registry; an object store that does not answer now passes, and is asked again later.

    Raises:
        NoRegistryError: the folder or bucket does not exist, or holds something else.
    """
    from registry.errors import RegistryError
    from registry.store import Registry

    try:
        Registry(uri).check_there()
    except RegistryError:
        raise
    except Exception:  # noqa: BLE001  # Object stores raise any exception; the server tries again and reports it.
        return


def handle_errors(command: Callable[..., Any], remedy: str = START_AGAIN) -> Callable[..., Any]:
    """Adds `--debug`; without it, turns an error into one sentence and the exit status 1.

    An interruption, SIGTERM included, ends the command in order: with one line, and without temporary files.

    Args:
        command: The command.
        remedy: What to do after an interruption, or once a fault of the machine is mended.
    """

    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(command)
    def wrapped(*args: Any, debug: bool, **kwargs: Any) -> Any:
        try:
            with interrupted_by_sigterm(), plain_temporary_files():
                return command(*args, **kwargs)
        except KeyboardInterrupt as interruption:
            _end_interrupted(interruption, remedy)
        except BrokenPipeError:
            _end_interrupted(output_closed(), remedy)
        except Exception as error:  # noqa: BLE001  # Any error becomes one sentence.
            if wrapped_by_beam := interruption_in(error):
                _end_interrupted(wrapped_by_beam, remedy)
            if debug:
                traceback.print_exc()
            click.echo(f"error: {without_aliases(_sentence(error, remedy))}", err=True)
            sys.exit(1)

    return wrapped


handle_errors_and_resume = functools.partial(handle_errors, remedy=RESUME)
"""`handle_errors` for a command that, when it is run again, keeps what it has done."""


def _has_current_folder() -> bool:
    try:
        return bool(Path.cwd())
    except FileNotFoundError:
        return False


def _end_interrupted(interruption: KeyboardInterrupt, remedy: str) -> NoReturn:
    what, status = "interrupted", INTERRUPTED
    if isinstance(interruption, Interruption):
        what, status = interruption.what, interruption.status
    with contextlib.suppress(OSError):
        click.echo(f"{what}; {remedy}", err=True)
    sys.exit(status)


def _sentence(error: Exception, remedy: str) -> str:
    user_error = user_error_in(error)
    if user_error is not None:
        return str(user_error)
    if isinstance(error, FileNotFoundError) and not _has_current_folder():
        return "the folder that this command was started in has been removed; change to another one"
    fault = machine_fault_in(error)
    if fault is not None:
        return describe(fault, [Path()], remedy=remedy)
    first_line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first_line} (a bug or a machine fault; --debug shows the traceback)"
