"""Checks of an engine before a run begins: addresses that answer, options that are known."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterable
from typing import Any

from common.errors import UserError
from pipeline.beam.arguments import WORKER_POOL, beam_arguments
from pipeline.beam.config import AnyBeam, DataflowBeam, FlinkBeam, SparkBeam

_SECONDS = 5.0


def check_engine(beam: AnyBeam) -> None:
    """Checks that a run on this machine can use the engine.

    Raises:
        UserError: an address does not answer, or the engine's workers could not read this machine's files.
    """
    if isinstance(beam, DataflowBeam):
        raise UserError(
            "beam.runner dataflow: its workers cannot read the files of this machine; run it on Kubeflow with "
            "kubeflow.pipeline_root in gs://, or set beam.runner to local"
        )
    if isinstance(beam, (FlinkBeam, SparkBeam)):
        _check_workers(beam)
        check_job_server(beam)


def check_options(beam: AnyBeam) -> None:
    """Checks that Beam or the job server knows each of `options`; imports Beam.

    Raises:
        UserError: an option is unknown, or its value is.
    """
    from apache_beam.options.pipeline_options import PipelineOptions

    if not beam.options:
        return
    known = _beam_options(PipelineOptions)
    if isinstance(beam, (FlinkBeam, SparkBeam)):
        known |= {option.name for option in _described_options(beam)}
    unknown = sorted(set(beam.options) - known)
    if unknown:
        raise UserError(f"beam.options.{unknown[0]}: neither Beam nor the runner {beam.runner} has this option")
    try:
        PipelineOptions(beam_arguments(beam, WORKER_POOL)).get_all_options()
    except SystemExit:  # Argparse ends the program; its message is in the log.
        raise UserError("beam.options: a value does not have its option's type; the log has Beam's message") from None


def _beam_options(options: Any) -> set[str]:
    import argparse

    parser = argparse.ArgumentParser(allow_abbrev=False)
    for section in options.__subclasses__():
        section._add_argparse_args(_Lenient(parser))
    return {name.removeprefix("--") for action in parser._actions for name in action.option_strings}


class _Lenient:
    """An argument parser that takes an option of several sections once."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def add_argument(self, *names: str, **more: Any) -> Any:
        fresh = [name for name in names if name not in self._parser._option_string_actions]
        return self._parser.add_argument(*fresh, **more) if fresh else None


def _check_workers(beam: FlinkBeam | SparkBeam) -> None:
    if beam.environment == "docker":
        raise UserError(
            "beam.environment docker: containers cannot read the files of this machine; use loopback, or process or "
            "external where the engine's machines have the same paths"
        )
    if beam.environment == "loopback" and not _is_here(beam.job_server):
        raise UserError(
            f"beam.environment loopback needs an engine on this machine, but beam.job_server is {beam.job_server}; use "
            "process or external where the engine's machines have the same paths as this one"
        )
    if not _is_here(beam.job_server):
        return
    if beam.environment == "process" and shutil.which(beam.command) is None:
        raise UserError(f"beam.command: {beam.command} is not a program that this machine has; give its path")
    if beam.environment == "external":
        pool = beam.worker_pool or WORKER_POOL
        start = f"segpipe-step beam-workers --port {pool.rpartition(':')[2]}"
        _check_answers(pool, f"start the pool with `{start}`", "worker_pool")


def _is_here(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    return host in ("localhost", "127.0.0.1", "::1", socket.gethostname())


def check_job_server(beam: FlinkBeam | SparkBeam) -> None:
    """Checks that the job server answers.

    Raises:
        UserError: it does not, or another program does.
    """
    start = f"segpipe beam-server --engine {beam.runner}"
    _check_answers(beam.job_server, f"start a job server with `{start}`", "job_server")
    _described_options(beam)


def _check_answers(address: str, remedy: str, key: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"beam.{key}: no answer from {address} ({reason}); {remedy}, or name another address") from None


def _described_options(beam: FlinkBeam | SparkBeam) -> Iterable[Any]:
    """Returns the job server's own options."""
    import grpc
    from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

    with grpc.insecure_channel(beam.job_server) as channel:
        try:
            described = beam_job_api_pb2_grpc.JobServiceStub(channel).DescribePipelineOptions(
                beam_job_api_pb2.DescribePipelineOptionsRequest(), timeout=_SECONDS
            )
        except grpc.RpcError:
            raise UserError(
                f"beam.job_server: what answers at {beam.job_server} is not a Beam job server; name its job port "
                "(8099 by default)"
            ) from None
    return list(described.options)
