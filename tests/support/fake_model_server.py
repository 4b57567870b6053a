"""Stands in for `tensorflow_model_server`: reads its flags and files, and keeps the rules of server_core.cc.

It loads nothing and predicts nothing.  Each configuration that it is told is a line of JSON in `$TOLD`.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent import futures
from pathlib import Path

import grpc
from google.protobuf import text_format
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2, model_service_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self) -> None:
        self._states: dict[int, int] = {}

    def GetModelStatus(self, request, context):  # type: ignore[no-untyped-def]
        response = get_model_status_pb2.GetModelStatusResponse()
        for version, state in self._states.items():
            response.model_version_status.add(version=version, state=state)
        return response

    def HandleReloadConfigRequest(self, request, context):  # type: ignore[no-untyped-def]
        (model,) = request.config.model_config_list.config
        versions = list(model.model_version_policy.specific.versions)
        labels = dict(model.version_labels)
        with Path(os.environ["TOLD"]).open("a") as file:
            file.write(json.dumps({"name": model.name, "versions": versions, "labels": labels}) + "\n")
        for version in labels.values():
            if self._states.get(version) != 30:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"version {version} is not currently available")
        for version in versions:
            present = Path(model.base_path, str(version), "saved_model.pb").is_file()
            self._states[version] = 30 if present else 50
        for version in self._states.keys() - set(versions):
            self._states[version] = 50
        return model_management_pb2.ReloadConfigResponse()


def main() -> None:
    flags = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])
    Path(os.environ["TOLD"] + ".flags").write_text(json.dumps(flags))
    text_format.Parse(Path(flags["model_config_file"]).read_text(), model_server_config_pb2.ModelServerConfig())
    assert "enable: true" in Path(flags["monitoring_config_file"]).read_text()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(), server)
    server.add_insecure_port(f"127.0.0.1:{flags['port']}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
