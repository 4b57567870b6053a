"""Reads a compiled pipeline: its name for upload, its parameters, its steps."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml

from common.errors import UserError
from pipeline.config.file import Mistakes, parse

Value = str | int | float | bool | list[Any] | dict[str, Any]

_DIGITS = 12
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "STRING": (str,),
    "NUMBER_INTEGER": (int,),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
}
_EXAMPLES = {
    "NUMBER_INTEGER": "an integer",
    "NUMBER_DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "LIST": "a list",
    "STRUCT": "a mapping",
}


class Step(NamedTuple):
    """Task that is a pod: its name in the specification, and its display name."""

    task: str
    label: str


class Compiled(NamedTuple):
    """Pipeline specification: its text, the types of its parameters, its steps in topological order."""

    text: str
    parameter_types: dict[str, str]
    steps: tuple[Step, ...]

    @property
    def digest(self) -> str:
        """Short digest of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:_DIGITS]

    def parameters(self, assignments: Sequence[str]) -> dict[str, Value]:
        """Parses `name=value` assignments into values of the parameters' types.

        Raises:
            UserError: the parameter is unknown, or the value is not of its type.
        """
        return dict(self._parameter(assignment) for assignment in assignments)

    def _parameter(self, assignment: str) -> tuple[str, Value]:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise UserError(f"--param {assignment!r}: write it as name=value, such as --param epochs=5")
        if name not in self.parameter_types:
            close = difflib.get_close_matches(name, self.parameter_types, n=1)
            known = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(sorted(self.parameter_types))}"
            raise UserError(f"--param {assignment!r}: the pipeline has no parameter {name!r}; {known}")
        return name, _typed(assignment, text, self.parameter_types[name])


def read_compiled(text: str) -> Compiled:
    """Reads the first document of a compiled pipeline, a PipelineSpec in YAML."""
    spec = next(iter(yaml.safe_load_all(text)))
    parameters = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    return Compiled(
        text=text,
        parameter_types={name: parameter["parameterType"] for name, parameter in parameters.items()},
        steps=tuple(_steps(spec, spec["root"])),
    )


def _steps(spec: dict[str, Any], component: dict[str, Any]) -> Iterator[Step]:
    for name, task in _in_order(component["dag"]["tasks"]):
        inner = spec["components"][task["componentRef"]["name"]]
        if "dag" in inner:
            yield from _steps(spec, inner)
        else:
            yield Step(name, task.get("taskInfo", {}).get("name") or name)


def _in_order(tasks: dict[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Sorts tasks topologically, otherwise in the given order."""
    placed: dict[str, dict[str, Any]] = {}

    def place(name: str) -> None:
        if name not in placed:
            for upstream in tasks[name].get("dependentTasks", []):
                place(upstream)
            placed[name] = tasks[name]

    for name in tasks:
        place(name)
    return list(placed.items())


def _typed(assignment: str, text: str, kind: str) -> Value:
    if kind == "STRING":
        return text
    try:
        value: Value = parse(text).value
    except Mistakes as mistakes:
        reasons = "; ".join(reason for _, reason in mistakes.found)
        raise UserError(f"--param {assignment!r}: {text!r} is not a valid YAML value: {reasons}") from None
    # In Python, but not in a specification, true and false are integers.
    if not isinstance(value, _PYTHON_TYPES[kind]) or (isinstance(value, bool) and kind != "BOOLEAN"):
        raise UserError(f"--param {assignment!r}: {text!r} must be {_EXAMPLES[kind]}")
    return value
