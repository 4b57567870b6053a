"""Exposition of a command's metrics: served, written for node_exporter's textfile collector, or pushed."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, push_to_gateway, start_http_server, write_to_textfile

from common.errors import UserError


def serve(metrics: CollectorRegistry, port: int) -> None:
    """Serves the metrics in a thread.

    Raises:
        UserError: the port is not available.
    """
    try:
        start_http_server(port, registry=metrics)
    except OSError as error:
        raise UserError(f"cannot listen on port {port}: {error.strerror}; name another with --serve") from None


def write(metrics: CollectorRegistry, path: Path) -> None:
    """Writes the metrics into a file, which appears as a whole.

    Raises:
        UserError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_to_textfile(str(path), metrics)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; name another file with --textfile") from None


def push(metrics: CollectorRegistry, url: str, job: str, model: str) -> None:
    """Pushes the metrics to a Pushgateway, for a command that ends before Prometheus comes.

    Raises:
        UserError: it does not take them.
    """
    try:
        push_to_gateway(url, job=job, grouping_key={"model": model}, registry=metrics)
    except (OSError, ValueError) as error:
        raise UserError(f"the Pushgateway {url} does not take the metrics: {error}") from None
