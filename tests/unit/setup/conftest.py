"""A made-up machine: a folder of fake interpreters that is the whole PATH."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NEEDED_BY_THE_SCRIPT = ("cat", "cksum", "dirname", "env", "sed", "sh", "tr")


@dataclass
class Machine:
    """Interpreters are shell scripts that answer the bootstrap's one question; nothing else of this machine is seen."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    def has_glibc(self, version: str) -> None:
        self.script(self.bin / "getconf", f"echo glibc {version}")

    def has_python(
        self,
        name: str,
        version: str,
        glibc: str,
        folder: Path | None = None,
        implementation: str = "CPython",
        bits: int = 64,
    ) -> Path:
        path = (folder or self.bin) / name
        self.script(path, f'echo x >>"{path}.starts"; echo {implementation} {bits} {version} {glibc} "{path}"')
        return path

    def has_pyenv_shim(self, name: str, folder: str = "bin") -> None:
        self.script(self.root / folder / name, f"echo 'pyenv: {name}: command not found' >&2; exit 127")

    def script(self, path: Path, body: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def bootstrap(self, *arguments: str, project: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", project / "scripts" / "bootstrap", *arguments],
            env={"PATH": str(self.bin), "HOME": str(self.root), **self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def choice(self, **environment: str) -> str:
        """The line that says what would be taken."""
        done = self.bootstrap("choose", **environment)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("\n") == 1, "one line says it"
        return done.stderr

    def refusal(self, **environment: str) -> str:
        """The line that says why nothing can be taken."""
        done = self.bootstrap("choose", **environment)
        assert done.returncode != 0
        assert done.stderr.count("\n") == 1, "one line says it"
        return done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "machine")
    machine.bin.mkdir(parents=True)
    for name in NEEDED_BY_THE_SCRIPT:
        found = shutil.which(name)
        assert found
        (machine.bin / name).symlink_to(found)
    return machine
