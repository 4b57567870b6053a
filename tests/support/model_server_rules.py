"""TensorFlow Serving as `segpipe sync` sees it: it reads `models.config` and keeps the rules of server_core.cc."""

from __future__ import annotations

from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2


class ModelServerRules:
    """Started with `--allow_version_labels_for_unavailable_models`; `broken` versions do not load."""

    def __init__(self, config: Path, broken: tuple[int, ...] = ()) -> None:
        self._config = config
        self.broken = set(broken)
        self.labels: dict[str, int] = {}
        self.states: dict[int, str] = {}
        self.refused: list[str] = []

    def poll(self) -> None:
        """Reads the file once, as its polling thread does (`ServerCore::ReloadConfig`)."""
        text = self._config.read_text()
        (model,) = text_format.Parse(text, model_server_config_pb2.ModelServerConfig()).model_config_list.config
        assert model.model_platform == "tensorflow"
        for label, version in model.version_labels.items():
            moves = label in self.labels and self.labels[label] != version
            if moves and self.states.get(version) != "AVAILABLE":
                self.refused.append(f"label {label} to version {version}, which is not currently available")
                return
        self.labels = dict(model.version_labels)
        versions = set(model.model_version_policy.specific.versions)
        for version in versions:
            folder = Path(model.base_path, str(version))
            assert (folder / "saved_model.pb").is_file(), f"{folder} is not whole"
            self.states[version] = "END" if version in self.broken else "AVAILABLE"
        for version in self.states.keys() - versions:
            self.states[version] = "END"
        for label, version in self.labels.items():
            assert self.states[version] == "AVAILABLE" or version in self.broken, f"{label} means nothing"

    def state_of(self, model: str, version: int) -> str | None:
        """The state of a version; `None` before the first is known."""
        return self.states.get(version)
