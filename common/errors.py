"""Errors shown to the user as one sentence."""

from __future__ import annotations

import re

START_AGAIN = "run the same command to start again"
RESUME = "run the same command again to resume"
"""What to do after an interruption of a command that keeps what it has done."""


class UserError(Exception):
    """An error that the user can fix: its text is one sentence that says what, where, and what to do.

    The command line prints the text alone, without a traceback; any other exception is a bug, whose traceback is
    logged.
    """


_TOLD = re.compile(r"^common\.errors\.UserError: (.+?)(?: \[while running .*)?$", re.MULTILINE)
"""A `UserError` in the text of a traceback, in which Beam names the transform."""


def user_error_in(error: BaseException | None) -> UserError | None:
    """Returns the `UserError` in the chain of causes, however a runner has wrapped it.

    Of an error in another process, such as a Beam worker, there is the text of its traceback alone.
    """
    while error is not None:
        if isinstance(error, UserError):
            return error
        told = _TOLD.search(str(error)) if isinstance(error, RuntimeError) else None
        if told:
            return UserError(told[1])
        error = error.__cause__ or error.__context__
    return None
