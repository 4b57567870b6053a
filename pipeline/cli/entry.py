"""The console script `segpipe`: imports the commands, which takes some tenths of a second, and runs one."""

from __future__ import annotations

import sys

from common.errors import START_AGAIN
from common.interruption import INTERRUPTED


def main() -> None:
    """Runs a command; answers Ctrl-C during the imports with one line, as commands do later."""
    try:
        from pipeline.cli.main import main as run_command
    except KeyboardInterrupt:
        sys.stderr.write(f"interrupted; {START_AGAIN}\n")
        sys.exit(INTERRUPTED)
    run_command()
