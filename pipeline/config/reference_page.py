"""Writes docs/config.md from the types, so that what is documented is what is checked.

python -m pipeline.config.reference_page > docs/config.md
"""

from __future__ import annotations

import datetime
import inspect
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipeline.config.run_config import RunConfig

_HEAD = """# The configuration, field by field

One YAML file is one use case; `segpipe check FILE` says whether it and its data are sound. Any key can be changed for a
run with `--set key.path=value`. Unknown keys, wrong types and impossible combinations are refused before anything runs,
and so are keys that stand twice.

Places are written as in messages and in `--set`: `[0]` is the first item of a list, as in
`--set 'evaluator.thresholds[0].at_least=0.6'`, and stands for each of its items below; `NAME` stands for any key; a key
with a dot is quoted in brackets, as in `node_selector["nvidia.com/gpu.present"]`. A section without keys (`trainer:`)
has its defaults; `data.labels` without a type is of type `index`, `trainer.model` of type `unet`.

This page is written by `python -m pipeline.config.reference_page`.
"""


def config_markdown() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_sections(RunConfig, "", set())]).rstrip() + "\n"


def _sections(model: type[BaseModel], path: str, seen: set[tuple[str, type]]) -> Iterator[str]:
    """A section for `model`, which stands at `path`, and one for each model below it."""
    tag = model.model_fields["type"].default if "type" in model.model_fields else None
    heading = f"`{path}`" if path else "The whole"
    if tag not in (None, PydanticUndefined):
        heading += f" of type `{tag}`"
    yield f"\n## {heading}\n\n{_summary(model)}\n"
    yield "| key | type | default | meaning |\n| --- | --- | --- | --- |"
    for name, field in model.model_fields.items():
        yield _row(field.alias or name, field)
    for name, field in model.model_fields.items():
        for child in _models_in(field.annotation):
            place = _join(path, field.alias or name, field)
            if (place, child) not in seen:
                seen.add((place, child))
                yield from _sections(child, place, seen)


def _summary(model: type[BaseModel]) -> str:
    return " ".join((inspect.getdoc(model) or "").split())


def _row(key: str, field: FieldInfo) -> str:
    return f"| `{key}` | {_type_text(field.annotation)} | {_default_text(field)} | {_escape(field.description or '')} |"


def _default_text(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default = field.default
    if isinstance(default, BaseModel):
        return f"type `{default.type}`" if "type" in type(default).model_fields else "as below"  # type: ignore[attr-defined]
    if isinstance(default, tuple) and any(isinstance(item, BaseModel) for item in default):
        return "; ".join(f"`{item.model_dump(exclude_none=True)}`" for item in default)
    if isinstance(default, dict) and any(isinstance(item, BaseModel) for item in default.values()):
        sections = {key: item.model_dump(exclude_none=True) for key, item in default.items()}
        return f"`{sections}`"
    if default is None:
        return "–"
    shown = list(default) if isinstance(default, tuple) else default
    return f"`{str(shown).lower() if isinstance(shown, bool) else shown}`"


def _type_text(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type_text(arguments[0])
    if origin is typing.Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type_text(argument) for argument in arguments if argument is not type(None)))
    if origin is tuple:
        return f"list of {_type_text(arguments[0])}"
    if origin is dict:
        return f"map from {_type_text(arguments[0])} to {_type_text(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    plain = {str: "text", int: "whole number", float: "number", bool: "true or false", datetime.date: "date"}
    return plain.get(annotation, str(annotation))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in typing.get_args(annotation) for model in _models_in(argument)]


def _join(path: str, name: str, field: FieldInfo) -> str:
    origin = typing.get_origin(field.annotation)
    suffix = "[0]" if origin is tuple else ".NAME" if origin is dict else ""
    return f"{path}.{name}{suffix}" if path else f"{name}{suffix}"


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(config_markdown())
