"""The command `segpipe`."""
