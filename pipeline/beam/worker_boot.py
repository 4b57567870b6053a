"""Start of a Python worker that an engine asks for, by the contract of Beam's containers.

An engine names the worker, and where it answers what the worker needs to know
(`beam_provision_api.proto`, and `boot.go` of Beam's Python container, which is not a part of Beam's Python package).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

import grpc

_SECONDS = 60


def worker_environment(worker_id: str, provision_endpoint: str, logs_to_engine: bool = True) -> dict[str, str]:
    """Returns the variables that tell Beam's `sdk_worker_main` its id, its engine's addresses and the job's options.

    Args:
        worker_id: Name of the worker.
        provision_endpoint: Address at which the engine answers for this worker.
        logs_to_engine: Whether log messages go to the engine, not to standard error.
    """
    from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
    from google.protobuf import json_format, text_format

    with grpc.insecure_channel(provision_endpoint) as channel:
        grpc.channel_ready_future(channel).result(timeout=_SECONDS)
        info = (
            beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
            .GetProvisionInfo(
                beam_provision_api_pb2.GetProvisionInfoRequest(),
                metadata=[("worker_id", worker_id)],
                timeout=_SECONDS,
            )
            .info
        )
    environment = {
        "WORKER_ID": worker_id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
        "CONTROL_API_SERVICE_DESCRIPTOR": text_format.MessageToString(info.control_endpoint),
    }
    if logs_to_engine and info.HasField("logging_endpoint"):
        environment["LOGGING_API_SERVICE_DESCRIPTOR"] = text_format.MessageToString(info.logging_endpoint)
    if info.HasField("status_endpoint"):
        environment["STATUS_API_SERVICE_DESCRIPTOR"] = text_format.MessageToString(info.status_endpoint)
    return environment


def boot(arguments: Sequence[str]) -> None:
    """Runs one worker in this process, until the engine needs it no more."""
    parser = argparse.ArgumentParser("segpipe-step beam-boot", description="A Beam worker that an engine asks for.")
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True)
    options, _ = parser.parse_known_args(arguments)  # Engines also name endpoints that the provision names.
    os.environ.update(worker_environment(options.id, options.provision_endpoint))
    from common.beam_inspection import remember_inspections

    remember_inspections()
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main([])
