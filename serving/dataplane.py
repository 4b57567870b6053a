"""Data plane: predictions, metadata and status, independent of the protocol."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from google.protobuf import any_pb2
from grpc import StatusCode
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2
from tensorflow_serving.config import model_server_config_pb2

from common.errors import UserError
from common.plurals import counted
from registry.cards import CardForm
from registry.store import VERSIONS, Registry
from segpipe_client.errors import shortened
from serving import logs
from serving.batching import Batcher, PendingRequest, Servable
from serving.canary.routing import Route, Target
from serving.canary.server_control import CanaryControl
from serving.errors import ServingError, invalid
from serving.metrics import Metrics
from serving.model import Outputs, Signature
from serving.protocol.tensors import check_count
from serving.settings import Limits
from serving.versions.loaded import Versions

SIGNATURE_DEF = "signature_def"
_MOST_WAITING_FOR_CANARY = 4


@dataclass
class Call:
    """Prediction in progress: its deadline, and its final status."""

    deadline: float
    status: StatusCode = StatusCode.OK


class Dataplane:
    """Data plane of the one model, used by gRPC and REST."""

    def __init__(
        self,
        versions: Versions,
        batcher: Batcher,
        limits: Limits,
        metrics: Metrics,
        registry: Registry,
        canary: CanaryControl | None = None,
        canary_batcher: Batcher | None = None,
    ) -> None:
        """The registry's folder of versions is the only one that a reload may name.

        Requests that a canary answers in place of the served version have a batcher of their own, so that a slow
        canary takes no worker from the others.
        """
        self.limits = limits
        self.metrics = metrics
        self.versions = versions
        self._batcher = batcher
        self._canary = canary
        self._canary_batcher = canary_batcher or batcher
        self._registry = registry
        self._base_path = f"{registry.uri.rstrip('/')}/{VERSIONS}"
        self._requests = 0

    @contextmanager
    def admitted(self, entrypoint: str, seconds: float | None = None) -> Iterator[Call]:
        """Admits a prediction, and counts it when it ends; `seconds` is the client's timeout.

        Raises:
            ServingError: too many requests are waiting or running.
        """
        began = time.monotonic()
        call = Call(began + min(self.limits.seconds, self.limits.seconds if seconds is None else seconds))
        try:
            with self._room():
                yield call
        except ServingError as error:
            call.status = error.code
            raise
        except Exception as error:
            call.status = StatusCode.INTERNAL
            logs.failure("request_bug", error)
            raise ServingError(StatusCode.INTERNAL, f"internal error: {type(error).__name__}") from error
        except BaseException:  # The client has gone away.
            call.status = StatusCode.CANCELLED
            raise
        finally:
            self.metrics.request_ended(self.versions.name, call.status, entrypoint, time.monotonic() - began)

    def find(self, spec: model_pb2.ModelSpec) -> Servable:
        """Returns the version that `spec` names; callers hold it as a context while they use it.

        Raises:
            ServingError: it is not loaded.
        """
        version = spec.version.value if spec.WhichOneof("version_choice") == "version" else None
        label = spec.version_label if spec.WhichOneof("version_choice") == "version_label" else None
        return self.versions.find(spec.name, version, label)

    def find_to_predict(self, spec: model_pb2.ModelSpec) -> Target:
        """Returns what answers a prediction: as `find`, but without version and label perhaps the canary first.

        Raises:
            ServingError: it is not loaded.
        """
        servable = self.find(spec)
        return servable if spec.WhichOneof("version_choice") else self.routed(servable)

    def routed(self, servable: Servable) -> Target:
        """Returns what answers a prediction that names no version, of which `servable` is the stable one."""
        if self._canary is None or self._canary_batcher.waiting >= _MOST_WAITING_FOR_CANARY:
            return servable
        return self._canary.routed(servable)

    async def predict(
        self,
        target: Target,
        signature: Signature,
        inputs: Sequence[bytes],
        output_filter: Sequence[str],
        deadline: float,
    ) -> Outputs:
        """Runs one request and returns its outputs.

        Raises:
            ServingError: it is too large, names unknown outputs, is refused by the model, or its deadline has passed.
        """
        check_count(len(inputs), self.limits.pictures)
        asked = signature.asked(output_filter)
        try:
            if isinstance(target, Route):
                outputs = await self._run_route(target, signature, inputs, deadline)
            else:
                outputs = await self._batcher.run(PendingRequest(target, signature, list(inputs), deadline))
        finally:
            if self._canary is not None:
                self._canary.predicted(target, signature.name, inputs)
        return {name: outputs[name] for name in asked}

    async def _run_route(self, route: Route, signature: Signature, inputs: Sequence[bytes], deadline: float) -> Outputs:
        """Runs a request on the canary in half of its time, and in the rest on the served version if that fails."""
        if route.has_fallen_back:  # The canary does not have the signature.
            outputs = await self._batcher.run(PendingRequest(route.stable, signature, list(inputs), deadline))
            self.metrics.canary.fell_back()
            return outputs
        now = time.monotonic()
        first = PendingRequest(route.canary, signature, list(inputs), now + (deadline - now) / 2)
        try:
            return await self._canary_batcher.run(first)
        except Exception as error:
            stable = route.fall_back()
            same = stable.model.signature(signature.name)
            if same is None or set(same.outputs) != set(signature.outputs):
                raise
            if not isinstance(error, ServingError):
                logs.failure("canary_bug", error)
            outputs = await self._batcher.run(PendingRequest(stable, same, list(inputs), deadline))
            self.metrics.canary.fell_back()
            return outputs

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Returns the signatures (servables/tensorflow/get_model_metadata_impl.cc).

        Raises:
            ServingError: another field is requested, or the version is not loaded.
        """
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for name in request.metadata_field:
            if name != SIGNATURE_DEF:
                raise invalid(f"Metadata field {shortened(name)} is not supported")
        servable = self.find(request.model_spec)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = servable.version
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, definition in servable.model.definitions.items():
            signatures.signature_def[name].CopyFrom(definition)
        packed = any_pb2.Any()
        packed.Pack(signatures)
        response.metadata[SIGNATURE_DEF].CopyFrom(packed)
        return response

    def card(self, version: int, form: CardForm) -> str:
        """Returns the model card of a version; it blocks while the registry is read.

        Raises:
            ServingError: the version has none, or the registry cannot be read.
        """
        try:
            text = self._registry.card(version, form)
        except (UserError, OSError) as error:
            raise ServingError(StatusCode.UNAVAILABLE, f"the registry cannot be read: {error}") from error
        if text is None:
            raise ServingError(
                StatusCode.NOT_FOUND, f"version {version} was pushed without a model card: run the pipeline again"
            )
        return text

    def status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Returns the states of one version or of all (model_servers/get_model_status_impl.cc).

        Raises:
            ServingError: the model or the version is unknown.
        """
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        spec = request.model_spec
        states = self.versions.states if spec.name == self.versions.name else {}
        if spec.WhichOneof("version_choice") == "version":
            version = spec.version.value
            if version not in states:
                raise ServingError(
                    StatusCode.NOT_FOUND, f"Could not find version {version} of model {shortened(spec.name)}"
                )
            states = {version: states[version]}
        if not states:
            raise ServingError(StatusCode.NOT_FOUND, f"Could not find any versions of model {shortened(spec.name)}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for version, state in sorted(states.items(), reverse=True):
            status = response.model_version_status.add(version=version, state=state.state)
            status.status.error_code = state.code
            status.status.error_message = state.message
        return response

    async def reload(self, config: model_server_config_pb2.ModelServerConfig) -> None:
        """Polls the registry now, and loads what it serves.

        Raises:
            ServingError: the configuration sets what only the registry decides.
        """
        if config.WhichOneof("config") != "model_config_list":
            raise invalid(
                "ServerModelConfig type not supported by HandleReloadConfigRequest."
                " Only ModelConfigList is currently supported"
            )
        for model in config.model_config_list.config:
            self._check_config(model)
        await self.versions.check(at_once=True)

    def _check_config(self, model: model_server_config_pb2.ModelConfig) -> None:
        if self.versions.name not in (None, model.name):
            raise invalid(f"this server serves the model {self.versions.name!r} only, not {shortened(model.name)!r}")
        if model.base_path.rstrip("/") not in ("", self._base_path):
            raise invalid(f"this server serves {self._base_path} only, not {shortened(model.base_path)}")
        if model.version_labels or model.HasField("model_version_policy"):
            raise ServingError(
                StatusCode.FAILED_PRECONDITION, "versions and labels are those of the registry: change them there"
            )

    @contextmanager
    def _room(self) -> Iterator[None]:
        if self._requests >= self.limits.requests:
            raise ServingError(
                StatusCode.RESOURCE_EXHAUSTED,
                f"{counted(self._requests, 'request is', 'requests are')} waiting or running: try again later",
            )
        self._requests += 1
        self.metrics.in_progress(self._requests)
        try:
            yield
        finally:
            self._requests -= 1
            self.metrics.in_progress(self._requests)
