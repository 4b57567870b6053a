"""Converts inputs and outputs between the KFP launcher and TFX executors, as plain JSON.

The launcher (`backend/src/v2/component/launcher_v2.go` of kubeflow/pipelines) copies a step's artifacts between the
bucket and local folders, but refers to them by their URIs in the bucket; the metadata store returns artifacts without
types and with converted values (`backend/src/v2/metadata/{client,converter}.go`).  TFX reads neither `minio://` nor
an artifact without a type.

A backend without ML Metadata (kubeflow/pipelines after 2.17, `backend/src/v2/driver/container.go`) gives artifacts an
`artifactId` and unchanged metadata; it accepts only numbers as metrics, and each output must exist
(`uploadOutputArtifacts` of its launcher).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from common.errors import UserError
from pipeline.kubeflow.json_types import Json

LOCAL_ROOTS = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/"}
"""Scheme → folder, as in `LocalPathForURI` of the launcher."""

_LAUNCHERS_OUTPUT = "executor-logs"
"""Declared by the driver (`provisionOutputs`) and written by the launcher itself."""

_LAUNCHERS_METADATA = ("display_name", "store_session_info")
"""Added by `RecordArtifact`."""

_TFX_VERSION = "tfx_version"  # would be a row among the metrics
_RENAMED = "custom:"  # TFX's prefix of a custom property with the name of a property of the type
_IDENTITY = "artifactId"
"""Id of an artifact in a backend without ML Metadata; with ML Metadata the name is the id."""

_METRICS = "system.Metrics"
_WRAPPERS = {"list": list, "struct": dict}
_PAGE = "system.HTML"
_SINGLE_FILES = (_PAGE, "system.Markdown")
_BASE_IN_A_FRAME = (
    """<script>if (location.href === "about:srcdoc") document.write('<base href="about:srcdoc">');</script>"""
)
"""The address of a page in the dashboard, which puts it into a frame's `srcdoc` (HTMLViewer.tsx of frontend/src)."""


class ArtifactPaths:
    """Paths of a step's artifacts: in the bucket, and on the pod's disk or where they are staged."""

    def __init__(self, executor_input: Json, keep_uris: bool = False, below: str = "") -> None:
        """Collects the paths of all artifacts.

        Args:
            executor_input: The launcher's `{{$}}`.
            keep_uris: Leave gs:// and s3:// to TFX's and Beam's own file systems; only the launcher supports minio://.
            below: Folder, or address in a bucket, that has the launcher's folders in place of the pod's disk.
        """
        uris = [artifact["uri"] for artifact in _artifacts(executor_input) if artifact.get("uri")]
        local = {uri: local_path(uri) for uri in uris if not (keep_uris and not uri.startswith("minio://"))}
        self._pairs = sorted(((uri, below + path) for uri, path in local.items() if path != uri), reverse=True)

    def to_local(self, text: str) -> str:
        """Converts the URI of an artifact, or of a part of it, to a path on the pod's disk; keeps other text."""
        return _moved(text, self._pairs)

    def to_uri(self, text: str) -> str:
        """Converts a path of an artifact, or of a part of it, to its URI in the bucket; keeps other text."""
        return _moved(text, [(path, uri) for uri, path in self._pairs])

    def named_by_uri(self, line: str) -> str:
        """Replaces paths of artifacts in `line` by their URIs, which users know."""
        for uri, path in self._pairs:
            line = line.replace(path, uri)
        return line


def artifact_uris(executor_input: Json, side: str) -> list[str]:
    """Returns the URIs of a step's `inputs` or `outputs`, without the log that the launcher writes itself."""
    lists = executor_input.get(side, {}).get("artifacts", {})
    kept = (artifacts for name, artifacts in lists.items() if name != _LAUNCHERS_OUTPUT)
    return [artifact["uri"] for artifacts in kept for artifact in artifacts.get("artifacts", ()) if artifact.get("uri")]


def local_path(uri: str) -> str:
    """Returns the launcher's local path of the artifact at `uri`; returns other URIs and paths unchanged."""
    for scheme, root in LOCAL_ROOTS.items():
        if uri.startswith(scheme):
            return root + uri.removeprefix(scheme)
    return uri


def for_tfx(executor_input: Json, inputs_spec: Json, paths: ArtifactPaths) -> Json:
    """Converts the launcher's input of a step to the format of TFX's executor runner.

    Args:
        executor_input: The launcher's `{{$}}`.
        inputs_spec: The component's `inputDefinitions`; they have the types of the inputs.
        paths: Paths of this step's artifacts.
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
            artifact["metadata"] = _read_metadata(artifact.get("metadata") or {}, paths, wrapped=identity is None)
    for artifact in _artifacts(result):
        artifact["uri"] = paths.to_local(artifact.get("uri", ""))
    return result


def for_launcher(executor_output: Json, paths: ArtifactPaths, executor_input: Json | None = None) -> Json:
    """Converts the output of TFX's executor runner to the launcher's format.

    Args:
        executor_output: The runner's output.
        paths: Paths of this step's artifacts.
        executor_input: The launcher's `{{$}}`, which has the types of the outputs.
    """
    result = copy.deepcopy(executor_output)
    declared = (executor_input or {}).get("outputs", {}).get("artifacts", {})
    for key, artifacts in result.get("artifacts", {}).items():
        kinds = [artifact.get("type", {}) for artifact in declared.get(key, {}).get("artifacts", ())]
        is_metrics = any(_title(kind) == _METRICS for kind in kinds)
        for artifact in artifacts.get("artifacts", ()):
            artifact["uri"] = paths.to_uri(artifact.get("uri", ""))
            metadata = _written_metadata(artifact.get("metadata") or {}, paths)
            artifact["metadata"] = {k: v for k, v in metadata.items() if not is_metrics or _is_number(v)}
    return result


def make_folders(executor_input: Json) -> None:
    """Creates the folders that TFX expects: those of outputs, and of empty inputs, which the bucket does not keep."""
    for artifact in _artifacts(executor_input):
        if "://" not in artifact["uri"] and not Path(artifact["uri"]).exists():
            Path(artifact["uri"]).mkdir(parents=True)


def make_single_files(executor_input: Json) -> None:
    """Replaces the folder of a page by its only file, because the dashboard opens the artifact's URI itself."""
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
    """Makes links to parts of the page lead there: without a base, they would open the dashboard in the frame.

    Only there: in a copy of the page that somebody has downloaded, that base would break the same links.
    """
    page.write_text(page.read_text().replace("<head>", f"<head>\n{_BASE_IN_A_FRAME}", 1))


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
        raise UserError(f"the step was compiled without an input {key}; compile the pipeline again")
    return declared["artifactType"]


def _title(kind: Mapping[str, str]) -> str | None:
    if "schemaTitle" in kind:
        return kind["schemaTitle"]
    # An instance schema is YAML; its first line is the title.
    lines = kind.get("instanceSchema", "").splitlines()
    return next((line.removeprefix("title:").strip() for line in lines if line.startswith("title:")), None)


def _read_metadata(metadata: Json, paths: ArtifactPaths, wrapped: bool) -> Json:
    kept = {key: value for key, value in metadata.items() if value is not None and key not in _LAUNCHERS_METADATA}
    plain = {key: _unwrapped(value) if wrapped else value for key, value in kept.items()}
    return {key: _translated(value, paths.to_local) for key, value in plain.items()}


def _unwrapped(value: Any) -> Any:
    """Returns a list or a mapping without the wrapper of `StructValueToMLMDValue`."""
    if isinstance(value, dict) and len(value) == 1:
        wrapper, inner = next(iter(value.items()))
        if isinstance(inner, _WRAPPERS.get(wrapper, ())):
            return inner
    return value


def _written_metadata(metadata: Json, paths: ArtifactPaths) -> Json:
    """Returns the metadata without values that the store refuses (null) or that are not needed."""
    kept = {key: value for key, value in metadata.items() if _storable(value) and key != _TFX_VERSION}
    renamed = {key.removeprefix(_RENAMED): value for key, value in kept.items() if key.startswith(_RENAMED)}
    plain = {key: value for key, value in kept.items() if not key.startswith(_RENAMED)}
    return {key: _translated(value, paths.to_uri) for key, value in {**renamed, **plain}.items()}


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
