"""Checks that ports are available before expensive work begins."""

from __future__ import annotations

import os
import socket

from common.errors import UserError


def check_port(host: str, port: int, option: str) -> None:
    """Checks that the port is available; `option` is the command's option for another port.

    Raises:
        UserError: the port is in use, or the address is not of this machine.
    """
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise port_refused(host, port, option, error) from None


def port_refused(host: str, port: int, option: str, error: OSError) -> UserError:
    """Returns the error of an unavailable port."""
    why = os.strerror(error.errno) if error.errno else str(error)
    return UserError(f"cannot listen on {host} port {port}: {why}; name another with {option}")
