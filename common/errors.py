"""The error that a person reads."""

from __future__ import annotations


class UserError(Exception):
    """Something that the user can put right: its text is one sentence that says what, where, and what to do.

    The command line prints the text alone, without a traceback; everything else that is raised is a bug and keeps its
    traceback in the log.
    """


def user_error_in(error: BaseException | None) -> UserError | None:
    """The sentence for the user, wherever a runner has wrapped it."""
    while error is not None:
        if isinstance(error, UserError):
            return error
        error = error.__cause__ or error.__context__
    return None
