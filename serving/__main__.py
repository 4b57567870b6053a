"""`python -m serving`: a server as a child process of another program; people use `segpipe serve`.

The first line of standard input is an engine (`auto`, `embedded` or `tensorflow_model_server`) and `ServerSettings` as
JSON.  The server chooses free ports, logs them, and stops when the stream is closed, even if the program dies.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import threading

from common.errors import UserError
from common.start_up import collect_seldom
from common.tensorflow_environment import set_tensorflow_environment
from serving.settings import ServerSettings


def main() -> None:
    """Serves until standard input ends."""
    set_tensorflow_environment()
    arguments = json.loads(sys.stdin.readline())
    settings = ServerSettings.model_validate({"port": 0, "grpc_port": 0, **arguments["settings"]})
    threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    try:
        _serve(arguments["engine"], settings)
    except UserError as error:
        sys.exit(f"error: {error}")


def _serve(engine: str, settings: ServerSettings) -> None:
    if engine == "auto":
        engine = "tensorflow_model_server" if shutil.which("tensorflow_model_server") else "embedded"
    if engine == "embedded":
        collect_seldom()
        from serving.server import serve

        serve(settings)
    else:
        from serving.versions import model_server

        model_server.serve(_for_model_server(settings))


def _for_model_server(settings: ServerSettings) -> ServerSettings:
    """Adapts the settings: it needs given ports, listens on all addresses, and fails a batch as a whole."""
    with socket.create_server(("", 0)) as http, socket.create_server(("", 0)) as grpc:
        ports = {"port": http.getsockname()[1], "grpc_port": grpc.getsockname()[1]}
    alone = settings.batching.model_copy(update={"pictures": 1})
    return settings.model_copy(update={"host": "0.0.0.0", "batching": alone, **ports})  # noqa: S104


def _stop_at_end_of_input() -> None:
    while os.read(0, 1024):  # Not sys.stdin: a thread that reads it would keep the interpreter from ending.
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
