"""Ports: whether they can be had, asked before anything expensive is begun."""

from __future__ import annotations

import os
import socket

from common.errors import UserError


def check_port(host: str, port: int, option: str) -> None:
    """Checks that one can listen there; `option` is what names another port.

    Raises:
        UserError: the port is taken, or the address is not of this machine.
    """
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise port_refused(host, port, option, error) from None


def port_refused(host: str, port: int, option: str, error: OSError) -> UserError:
    """What is said of a port that cannot be had."""
    why = os.strerror(error.errno) if error.errno else str(error)
    return UserError(f"cannot listen on {host} port {port}: {why}; name another with {option}")
