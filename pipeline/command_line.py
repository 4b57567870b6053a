"""What the commands of `segpipe` share: their errors in one sentence, and the arguments that most of them take."""

from __future__ import annotations

import contextlib
import functools
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from components.errors import UserError, user_error_in
from components.interruption import Interruption, output_closed
from components.machine_faults import describe, machine_fault_in
from components.plain_path import plain_temporary_files, without_aliases

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

config_argument = click.argument("config", type=click.Path(path_type=Path))
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a key of the configuration; may be repeated."
)
date_option = click.option(
    "--date",
    metavar="DATE",
    default="",
    help="The day of the run, which decides on the data where its paths have {date}; without it, today (UTC).",
)
registry_option = click.option(
    "--registry",
    envvar="SEGPIPE_REGISTRY",
    metavar="URI",
    help="The registry; without it, that of the only run below runs/.",
)


def registry_uri(given: str | None) -> str:
    """The registry that `registry_option` names.

    Raises:
        UserError: it names none, and there is not exactly one below runs/.
    """
    if given:
        return given if "://" in given else str(Path(given).absolute())
    found = sorted(Path("runs").glob("*/registry"))
    if len(found) == 1:
        return str(found[0].absolute())
    if not found:
        raise UserError("there is no registry below runs/; name one with --registry, or make one with `segpipe run`")
    raise UserError(f"there are several registries; name one with --registry: {', '.join(map(str, found))}")


def says_errors_plainly(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--debug`, and without it turns an error into one sentence and an exit status of 1."""

    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(command)
    def wrapped(*args: Any, debug: bool, **kwargs: Any) -> Any:
        try:
            with plain_temporary_files():
                return command(*args, **kwargs)
        except Interruption as interruption:
            _end(interruption.what, interruption.status)
        except KeyboardInterrupt:
            _end("interrupted", INTERRUPTED)
        except BrokenPipeError:
            _end(output_closed().what, output_closed().status)
        except Exception as error:  # noqa: BLE001  # Whatever went wrong, a person reads a sentence.
            if debug:
                traceback.print_exc()
            click.echo(f"error: {without_aliases(_sentence(error))}", err=True)
            sys.exit(1)

    return wrapped


def _has_current_folder() -> bool:
    try:
        return bool(Path.cwd())
    except FileNotFoundError:
        return False


def _end(what: str, status: int) -> None:
    with contextlib.suppress(OSError):
        click.echo(f"{what}; the same command goes on where it was", err=True)
    sys.exit(status)


def _sentence(error: Exception) -> str:
    user_error = user_error_in(error)
    if user_error is not None:
        return str(user_error)
    if isinstance(error, FileNotFoundError) and not _has_current_folder():
        return "the folder that this command was started in has been removed; change to another one"
    fault = machine_fault_in(error)
    if fault is not None:
        return describe(fault, [Path()])
    first_line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first_line} (a bug, or a fault of this machine; --debug shows where)"
