"""Between the world of Kubeflow's launcher and TFX's: what a step is given, and what it gives back, as plain JSON.

The launcher (`backend/src/v2/component/launcher_v2.go` of kubeflow/pipelines) copies a step's artifacts between the
bucket and local folders, but names them by their URIs in the bucket; artifacts come from the metadata store without
their types and with changed values (`backend/src/v2/metadata/{client,converter}.go`).  TFX reads neither `minio://` nor
an artifact without a type.

A backend without ML Metadata (kubeflow/pipelines after 2.17, `backend/src/v2/driver/container.go`) gives artifacts an
`artifactId` and their metadata as they were; of metrics it takes numbers alone, and an output must be there
(`uploadOutputArtifacts` of its launcher).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from common.errors import UserError

Json = dict[str, Any]

LOCAL_ROOTS = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/"}
"""Scheme → folder, as `LocalPathForURI` of the launcher has it."""

_LAUNCHERS_OUTPUT = "executor-logs"
"""Declared by the driver (`provisionOutputs`) and written by the launcher itself."""

_LAUNCHERS_METADATA = ("display_name", "store_session_info")
"""Added by `RecordArtifact`."""

_TFX_VERSION = "tfx_version"  # would be a row among the metrics
_RENAMED = "custom:"  # what TFX puts before a custom property that is called like a property of the type
_IDENTITY = "artifactId"
"""What a backend without ML Metadata has beside the name, which with ML Metadata is the id."""

_METRICS = "system.Metrics"
_WRAPPERS = {"list": list, "struct": dict}
_PAGE = "system.HTML"
_SINGLE_FILES = (_PAGE, "system.Markdown")
_BASE = '<base href="about:srcdoc">'
"""The address of a page in the dashboard, which puts it into a frame's `srcdoc` (HTMLViewer.tsx of frontend/src)."""


class Places:
    """Where the artifacts of one step are: in the bucket, and on the pod's disk."""

    def __init__(self, executor_input: Json, keep_uris: bool = False) -> None:
        """Learns the places of all artifacts.

        Args:
            executor_input: The launcher's `{{$}}`.
            keep_uris: Leave gs:// and s3:// to TFX's and Beam's own file systems; nothing but the launcher knows
                minio://.
        """
        uris = [artifact["uri"] for artifact in _artifacts(executor_input) if artifact.get("uri")]
        local = {uri: local_path(uri) for uri in uris if not (keep_uris and not uri.startswith("minio://"))}
        self._pairs = sorted(((uri, path) for uri, path in local.items() if path != uri), reverse=True)

    def to_local(self, text: str) -> str:
        """`text`, if it is the URI of an artifact or of a part of one, as a path on the pod's disk."""
        return _moved(text, self._pairs)

    def to_uri(self, text: str) -> str:
        """`text`, if it is a path of an artifact or of a part of one, as its URI in the bucket."""
        return _moved(text, [(path, uri) for uri, path in self._pairs])

    def named_by_uri(self, line: str) -> str:
        """`line` with the URIs of artifacts in place of their paths, which no person ever sees."""
        for uri, path in self._pairs:
            line = line.replace(path, uri)
        return line


def local_path(uri: str) -> str:
    """Where the launcher keeps the artifact at `uri`; another URI, or a path, is what it was."""
    for scheme, root in LOCAL_ROOTS.items():
        if uri.startswith(scheme):
            return root + uri.removeprefix(scheme)
    return uri


def for_tfx(executor_input: Json, inputs_spec: Json, places: Places) -> Json:
    """What the launcher gives a step, as TFX's executor runner understands it.

    Args:
        executor_input: The launcher's `{{$}}`.
        inputs_spec: The component's `inputDefinitions`; they know the types of the inputs.
        places: Of this step's artifacts.
    """
    result = copy.deepcopy(executor_input)
    inputs, outputs = result.setdefault("inputs", {}), result.setdefault("outputs", {})
    parameters = inputs.get("parameterValues", {})
    inputs["parameterValues"] = {key: value for key, value in parameters.items() if value is not None}
    outputs.get("artifacts", {}).pop(_LAUNCHERS_OUTPUT, None)
    for key, artifacts in inputs.get("artifacts", {}).items():
        for artifact in artifacts.get("artifacts", ()):
            artifact["type"] = _declared_type(inputs_spec, key)
            identity = artifact.pop(_IDENTITY, None)
            artifact["name"] = identity or artifact.get("name", "")
            artifact["metadata"] = _read_metadata(artifact.get("metadata") or {}, places, wrapped=identity is None)
    for artifact in _artifacts(result):
        artifact["uri"] = places.to_local(artifact.get("uri", ""))
    return result


def for_launcher(executor_output: Json, places: Places, executor_input: Json | None = None) -> Json:
    """What TFX's executor runner writes, as the launcher understands it.

    Args:
        executor_output: What the runner has written.
        places: Of this step's artifacts.
        executor_input: The launcher's `{{$}}`, which knows the types of the outputs.
    """
    result = copy.deepcopy(executor_output)
    declared = (executor_input or {}).get("outputs", {}).get("artifacts", {})
    for key, artifacts in result.get("artifacts", {}).items():
        kinds = [artifact.get("type", {}) for artifact in declared.get(key, {}).get("artifacts", ())]
        is_metrics = any(_title(kind) == _METRICS for kind in kinds)
        for artifact in artifacts.get("artifacts", ()):
            artifact["uri"] = places.to_uri(artifact.get("uri", ""))
            metadata = _written_metadata(artifact.get("metadata") or {}, places)
            artifact["metadata"] = {k: v for k, v in metadata.items() if not is_metrics or _is_number(v)}
    return result


def make_folders(executor_input: Json) -> None:
    """Makes the folders that TFX expects: of the outputs, and of inputs that were empty and so left no trace."""
    for artifact in _artifacts(executor_input):
        if "://" not in artifact["uri"] and not Path(artifact["uri"]).exists():
            Path(artifact["uri"]).mkdir(parents=True)


def make_single_files(executor_input: Json) -> None:
    """Puts in place of the folder of a page its only file: what the dashboard opens is the artifact's URI itself."""
    for artifacts in executor_input.get("outputs", {}).get("artifacts", {}).values():
        for artifact in artifacts.get("artifacts", ()):
            folder, title = Path(artifact["uri"]), _title(artifact.get("type", {}))
            if title in _SINGLE_FILES and folder.is_dir():
                _make_single_file(folder)
                if title == _PAGE:
                    _keep_links_inside(folder)


def _make_single_file(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    if len(files) != 1:
        raise ValueError(f"{folder} must hold one file for the dashboard, but holds {len(files)}")
    aside = folder.with_name(f"{folder.name}.file")
    files[0].rename(aside)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir()
    folder.rmdir()
    aside.rename(folder)


def _keep_links_inside(page: Path) -> None:
    """Makes links to parts of the page lead there: without a base, they would open the dashboard in the frame."""
    page.write_text(page.read_text().replace("<head>", f"<head>\n{_BASE}", 1))


def _artifacts(executor_input: Json) -> Iterator[Json]:
    for side in ("inputs", "outputs"):
        for artifacts in executor_input.get(side, {}).get("artifacts", {}).values():
            yield from artifacts.get("artifacts", ())


def _moved(text: str, pairs: list[tuple[str, str]]) -> str:
    for source, target in pairs:
        if text == source or text.startswith(source.rstrip("/") + "/"):
            return target + text[len(source) :]
    return text


def _declared_type(inputs_spec: Json, key: str) -> Json:
    declared = inputs_spec.get("artifacts", {}).get(key)
    if declared is None:
        raise UserError(f"the step was compiled without an input {key}; compile the pipeline anew")
    return declared["artifactType"]


def _title(kind: Mapping[str, str]) -> str | None:
    if "schemaTitle" in kind:
        return kind["schemaTitle"]
    # An instance schema is YAML, whose first line is its title.
    lines = kind.get("instanceSchema", "").splitlines()
    return next((line.removeprefix("title:").strip() for line in lines if line.startswith("title:")), None)


def _read_metadata(metadata: Json, places: Places, wrapped: bool) -> Json:
    kept = {key: value for key, value in metadata.items() if value is not None and key not in _LAUNCHERS_METADATA}
    plain = {key: _unwrapped(value) if wrapped else value for key, value in kept.items()}
    return {key: _translated(value, places.to_local) for key, value in plain.items()}


def _unwrapped(value: Any) -> Any:
    """A list or a mapping without what `StructValueToMLMDValue` puts around it."""
    if isinstance(value, dict) and len(value) == 1:
        wrapper, inner = next(iter(value.items()))
        if isinstance(inner, _WRAPPERS.get(wrapper, ())):
            return inner
    return value


def _written_metadata(metadata: Json, places: Places) -> Json:
    """Metadata without what the store refuses (null) and what nobody asked for."""
    kept = {key: value for key, value in metadata.items() if _storable(value) and key != _TFX_VERSION}
    renamed = {key.removeprefix(_RENAMED): value for key, value in kept.items() if key.startswith(_RENAMED)}
    plain = {key: value for key, value in kept.items() if not key.startswith(_RENAMED)}
    return {key: _translated(value, places.to_uri) for key, value in {**renamed, **plain}.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _storable(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _translated(value: Any, translate: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return translate(value)
    if isinstance(value, list):
        return [_translated(item, translate) for item in value]
    if isinstance(value, dict):
        return {key: _translated(item, translate) for key, item in value.items()}
    return value
