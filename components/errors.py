"""The error that a person reads."""

from __future__ import annotations


class UserError(Exception):
    """Something that the user can put right: its text is one sentence that says what, where, and what to do.

    The command line prints the text alone, without a traceback; everything else that is raised is a bug and keeps its
    traceback in the log.
    """
