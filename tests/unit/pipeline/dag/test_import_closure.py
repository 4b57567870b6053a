"""The import closure: what Python itself loads is in it, and every way to write an import is read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.dag.import_closure import PACKAGES, import_closure
from pipeline.dag.steps import STEPS

LOADED = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps([module.__file__ for name, module in sys.modules.items() if name.split(".")[0] in %r]))
"""


def names(root: Path, *entry_points: str) -> set[str]:
    return {path.relative_to(root).as_posix() for path in import_closure(entry_points, root)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree with one module for each way to import another."""
    sources = {
        "components/__init__.py": "",
        "components/plain.py": "import components.a\nimport numpy\n",
        "components/a.py": "",
        "components/from_package.py": "from components import b\n",
        "components/b.py": "from registry.store import Registry\n",
        "components/late.py": "def run():\n    from components.c import d\n",
        "components/c/__init__.py": "from components.a import nothing\n",
        "components/c/d.py": "from . import e\nfrom ..b import thing\n",
        "components/c/e.py": "",
        "components/circle.py": "import components.round\n",
        "components/round.py": "import components.circle\n",
        "registry/__init__.py": "",
        "registry/store.py": "",
    }
    for name, text in sources.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("entry", "closure"),
    [
        ("components.plain", {"plain", "a"}),
        ("components.from_package", {"from_package", "b"}),
        ("components.late", {"late", "c/__init__", "c/d", "c/e", "a", "b"}),
        ("components.circle", {"circle", "round"}),
        ("components.c", {"c/__init__", "a"}),
    ],
)
def test_the_closure_follows_imports_wherever_they_stand(root: Path, entry: str, closure: set[str]) -> None:
    expected = {f"components/{name}.py" for name in closure | {"__init__"}}
    if "b" in closure:
        expected |= {"registry/__init__.py", "registry/store.py"}
    assert names(root, entry) == expected


def test_an_entry_point_that_does_not_exist_is_an_error(root: Path) -> None:
    with pytest.raises(ValueError, match=r"components\.gone is not a module"):
        import_closure(["components.gone"], root)


def test_what_python_loads_is_in_the_closure() -> None:
    entry_points = [name for step in STEPS for name in step.entry_points]
    command = [sys.executable, "-c", LOADED % (PACKAGES,), *entry_points]
    loaded = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    closure = {str(path) for path in import_closure(entry_points, Path.cwd())}
    assert len(loaded) > 100
    assert set(loaded) <= closure
