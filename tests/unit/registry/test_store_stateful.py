"""Any order of pushes, rollbacks, canaries and losses keeps the registry's promises."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from pathlib import Path

import fsspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from registry.errors import RegistryError
from registry.store import Registry

TEXTS = st.sampled_from("abcde")


class RegistryMachine(RuleBasedStateMachine):
    """Compares a registry with a plain model of it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.uri = f"memory://bucket-{uuid.uuid4().hex}/registry"
        self.versions: dict[int, str] = {}
        self.highest = 0
        self.served: int | None = None
        self.history: list[int] = []
        self.withdrawn: set[int] = set()
        self.canary: int | None = None

    @property
    def registry(self) -> Registry:
        return Registry(self.uri)

    def _serve(self, version: int) -> None:
        if version != self.served:
            self.served = version
            self.history.append(version)
            self.canary = None if version == self.canary else self.canary

    @rule(text=TEXTS)
    def push(self, text: str) -> None:
        (self.folder / text).mkdir(exist_ok=True)
        (self.folder / text / "saved_model.pb").write_text(text)
        manifest, created = self.registry.push(
            str(self.folder / text),
            model_name="m",
            data_fingerprint="d",
            baseline_version=self.served,
            metrics={},
            config={},
            software={},
        )
        assert created == (text not in self.versions.values())
        if created:
            assert manifest.version == self.highest + 1
            self.highest += 1
            self.versions[manifest.version] = text
        assert self.versions[manifest.version] == text

    @precondition(lambda self: self.versions)
    @rule(data=st.data())
    def serve(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(self.versions)))
        self.registry.serve(version)
        self._serve(version)
        self.withdrawn.discard(version)

    @precondition(lambda self: self.versions)
    @rule(data=st.data())
    def roll_back_to(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(self.versions)))
        assert self.registry.rollback(version) == version
        self._rolled_back(version)

    @rule()
    def roll_back(self) -> None:
        candidates = [version for version in self.history if version not in self.withdrawn | {self.served}]
        if not candidates:
            try:
                self.registry.rollback()
            except RegistryError:
                return
            raise AssertionError("rolled back to nowhere")
        assert self.registry.rollback() == candidates[-1]
        self._rolled_back(candidates[-1])

    def _rolled_back(self, version: int) -> None:
        if version == self.served:
            return
        if version in self.withdrawn:
            self.withdrawn.discard(version)
        elif self.served is not None:
            self.withdrawn.add(self.served)
        self._serve(version)

    @precondition(lambda self: self.served and len(self.versions) > 1)
    @rule(data=st.data(), percent=st.integers(1, 99))
    def start_canary(self, data: st.DataObject, percent: int) -> None:
        version = data.draw(st.sampled_from(sorted(self.versions.keys() - {self.served})))
        self.registry.start_canary(version, percent)
        self.canary = version
        self.withdrawn.discard(version)

    @precondition(lambda self: self.canary)
    @rule()
    def promote(self) -> None:
        assert self.canary
        version = self.registry.promote()
        assert version == self.canary
        self._serve(version)
        self.withdrawn.discard(version)

    @precondition(lambda self: self.canary)
    @rule()
    def abort_canary(self) -> None:
        assert self.canary
        assert self.registry.abort_canary() == self.canary
        self.withdrawn.add(self.canary)
        self.canary = None

    @invariant()
    def every_version_is_whole_and_the_served_one_exists(self) -> None:
        registry = self.registry
        assert [registry.verify(number).version for number in self.versions] == sorted(self.versions)
        assert [manifest.version for manifest in registry.versions()] == sorted(self.versions)
        assert registry.served() == self.served
        assert set(registry.withdrawn()) == self.withdrawn
        expected = {"stable": self.served, "canary": self.canary}
        assert registry.labels() == {label: version for label, version in expected.items() if version}

    def teardown(self) -> None:
        shutil.rmtree(self.folder)
        memory = fsspec.filesystem("memory")
        if memory.exists(self.uri):
            memory.rm(self.uri, recursive=True)


TestRegistryMachine = RegistryMachine.TestCase
TestRegistryMachine.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
