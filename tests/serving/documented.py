"""Commands of docs/serving.md, for the server of the tests."""

from __future__ import annotations

from tests.support.serving import MODEL, Hosted


def for_server(text: str, server: Hosted) -> str:
    """Returns the commands with the addresses of the server and the name of its model."""
    text = text.replace("localhost:8501", server.http.removeprefix("http://")).replace("localhost:8500", server.grpc)
    return text.replace("models/sample", f"models/{MODEL}").replace('"sample"', f'"{MODEL}"')
