"""Errors shown to the user as one sentence."""

from __future__ import annotations


class UserError(Exception):
    """An error that the user can fix: its text is one sentence that says what, where, and what to do.

    The command line prints the text alone, without a traceback; any other exception is a bug, whose traceback is
    logged.
    """


def user_error_in(error: BaseException | None) -> UserError | None:
    """Returns the `UserError` in the chain of causes, however a runner has wrapped it."""
    while error is not None:
        if isinstance(error, UserError):
            return error
        error = error.__cause__ or error.__context__
    return None
