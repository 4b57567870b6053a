"""What can be told in one sentence."""

from __future__ import annotations


class ClusterError(Exception):
    """The cluster cannot do what was asked, and the message says what a person can do."""
