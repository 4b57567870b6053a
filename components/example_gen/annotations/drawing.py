"""Turns the annotations of an image into its mask: classes by name, order, overlaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from common.records import VOID
from components.example_gen.annotations.config import SKIP_NAME, VOID_NAME, DrawnSource
from components.example_gen.annotations.document import Shape, Size, bad_annotation
from components.example_gen.annotations.rasterise import Drawn, GeometryError, Mask, draw, encode
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

_SKIPPED = -1
_CROWD_RANK = -1  # Below every other annotation.
_SHOWN_CLASSES = 8


class Drawing:
    """Draws annotations by the settings of a source."""

    def __init__(self, source: DrawnSource, classes: Sequence[str]) -> None:
        self._source = source
        self._classes = tuple(classes)
        values = {name: index for index, name in enumerate(classes)} | {VOID_NAME: VOID, SKIP_NAME: _SKIPPED}
        own = {name: index for index, name in enumerate(classes)}
        self._values: Mapping[str, int] = own | {theirs: values[ours] for theirs, ours in source.names.items()}
        self._ranks = {values[name]: rank for rank, name in enumerate(source.draw_order, 1)}
        self._crowd = source.crowds
        self._background = values[source.background or classes[0]]

    def mask(self, shapes: Sequence[Shape], size: Size) -> Mask:
        """The mask of `shapes`; raises `RejectionError` if one of them cannot be drawn."""
        drawn = []
        for shape in shapes:
            value = self._value(shape)
            if value == _SKIPPED:
                continue
            try:
                encoded = encode(shape.geometry(), size)
            except GeometryError as error:
                raise bad_annotation(shape.id, str(error)) from error
            drawn.append(Drawn(encoded, value, self._rank(shape, value)))
        return draw(drawn, size, self._background, self._source.overlap)

    def _value(self, shape: Shape) -> int:
        if shape.crowd and self._crowd != "class":
            return VOID if self._crowd == VOID_NAME else _SKIPPED
        value = self._values.get(shape.label)
        if value is not None:
            return value
        if self._source.when_unknown == "quarantine":
            raise self._unknown(shape)
        return VOID if self._source.when_unknown == VOID_NAME else _SKIPPED

    def _rank(self, shape: Shape, value: int) -> tuple[int, ...]:
        if shape.crowd and value == VOID:
            return (_CROWD_RANK,)
        layer = shape.layer if self._source.overlap == "later" else 0
        return (self._ranks.get(value, 0), layer)

    def _unknown(self, shape: Shape) -> RejectionError:
        cause = f"an annotation has the class {shape.label!r}, which is unknown"
        line = yaml.safe_dump({shape.label: self._classes[-1]}, default_flow_style=True, allow_unicode=True).strip()
        shown = ", ".join(self._classes[:_SHOWN_CLASSES])
        remedy = f"write class_map: {line} under data.source (or another class, void or skip)"
        return RejectionError(
            Reason.UNKNOWN_LABEL,
            f"{shape.id} has the class {shape.label!r}, which is not among {shown}; {remedy}",
            cause,
            remedy,
        )
