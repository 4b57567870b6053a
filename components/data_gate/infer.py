"""Infers a first schema for a data set, to be edited by a person."""

from __future__ import annotations

import contextlib
import textwrap
import uuid
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_metadata.proto.v0 import schema_pb2

from common import records
from common.errors import UserError

MAX_SLICE_VALUES = 50
"""A slicing column with more values than this is treated as free text or a number, and gets no list of values."""

# Initial thresholds, above the maximum by chance in 200 random splits of three real data sets.  For skew, 30 images in
# the smaller part: divergence 0.29, classes 0.13, slices 0.33.  For drift, between halves of 145: 0.11, 0.06, 0.15.
DRIFT_DIVERGENCE = 0.2
SKEW_DIVERGENCE = 0.35
CLASS_DRIFT_DISTANCE = 0.1
CLASS_SKEW_DISTANCE = 0.15
SLICE_DRIFT_DISTANCE = 0.2
SLICE_SKEW_DISTANCE = 0.4

_WIDTH = 116
_ORDER = {name: place for place, name in enumerate(("name", "type", "presence", "shape", "value_count", "domain"))}
_CLASS_DOMAIN = "classes"
_FILE_FORMATS = ("bmp", "gif", "jpeg", "png")

_HEADER = """\
Schema of this data set: what a record must hold before training.
Inferred by segpipe from the data, so it accepts any fault that this data has.
Read it, tighten it, and commit it.
Features and their types are fixed by common/records.py; values, ranges and thresholds are yours to decide.

shape {} is one value in every record: Transform then makes a dense tensor of it, as the serving signature needs.
drift_comparator: this training data against the last accepted data.
skew_comparator: eval and test against train.  Remove a comparator to skip its check."""

_COMMENTS = {
    records.IMAGE_FORMAT: "All formats that ingestion writes: remove those that must not occur.",
    records.IMAGE_HEIGHT: "Pixels.  Set min and max to what your cameras produce.",
    records.IMAGE_BRIGHTNESS: (
        "Mean luma.  Jensen–Shannon divergence in bits, 0…1: half the light gave 0.36 to 0.47; by chance "
        "alone, 30 images reached 0.29 against 230, 60 images 0.18, and 145 against 145 0.11."
    ),
    records.IMAGE_CONTRAST: "Standard deviation of luma, at most 0.5 by definition.",
    records.MASK_CLASS_FRACTION: "One value a class, merged into one histogram by TFDV: a comparator says little.",
    records.MASK_CLASSES: (
        "Names of the classes in a mask; a name that is not in the list of classes stops the run.  L-infinity: the "
        "most that one class's share of all names changes; 30 images reached 0.13 by chance."
    ),
    records.MASK_FOREGROUND_FRACTION: "Share of classes ≥ 1.  A minimum above 0 rejects empty masks.",
    records.MASK_VOID_FRACTION: "Share of ignored pixels.  Set max to what you are willing to ignore.",
}


def infer_schema(
    classes: Sequence[str], slices: Mapping[str, Collection[str]], has_bands: bool = False
) -> schema_pb2.Schema:
    """Returns the schema of records with these classes and slices.

    Args:
        classes: Names of the classes.
        slices: Slicing column or bucket → the values that occur; see `IngestionSummary.slices`.
        has_bands: Whether the images have bands (`data.bands`).
    """
    schema = schema_pb2.Schema()
    _add_image_features(schema, (records.BANDS_FORMAT,) if has_bands else _FILE_FORMATS)
    _add_mask_features(schema, classes)
    for name, values in sorted(slices.items()):
        _add_slice(schema, records.slice_feature(name), values)
    return schema


def schema_text(schema: schema_pb2.Schema) -> str:
    """Formats the schema as .pbtxt, with a comment wherever there is something to decide."""
    parts = [_comment(_HEADER)]
    for feature in schema.feature:
        comment = _COMMENTS.get(feature.name)
        parts.append((_comment(comment) if comment else "") + _block("feature", feature))
    parts += [_block("string_domain", domain) for domain in schema.string_domain]
    return "\n".join(parts)


def write_schema(schema: schema_pb2.Schema, path: Path, overwrite: bool = False) -> None:
    """Writes the schema's text to `path` atomically; makes the folder.

    Raises:
        UserError: the file exists, perhaps with manual edits, and `overwrite` is not set; or the path
            cannot be written.
    """
    if not overwrite and path.exists():
        raise UserError(f"{path} already exists and may have been edited: keep it, or replace it with --force")
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")  # Of another run's at the same time, each is whole.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(schema_text(schema), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise UserError(
            f"the schema {path} cannot be written: {error.strerror}; name another place with validation.schema"
        ) from None


def _add_image_features(schema: schema_pb2.Schema, formats: Sequence[str]) -> None:
    _add_fixed(schema, records.IMAGE_ENCODED, schema_pb2.BYTES).image_domain.SetInParent()
    _add_fixed(schema, records.IMAGE_FORMAT, schema_pb2.BYTES).string_domain.value.extend(formats)
    _add_fixed(schema, records.IMAGE_HEIGHT, schema_pb2.INT).int_domain.min = 1
    _add_fixed(schema, records.IMAGE_WIDTH, schema_pb2.INT).int_domain.min = 1
    _add_fixed(schema, records.IMAGE_ID, schema_pb2.BYTES)
    _compare_numbers(_add_fraction(schema, records.IMAGE_BRIGHTNESS))
    _compare_numbers(_add_fraction(schema, records.IMAGE_CONTRAST, highest=0.5))


def _add_mask_features(schema: schema_pb2.Schema, classes: Sequence[str]) -> None:
    _add_fixed(schema, records.MASK_ENCODED, schema_pb2.BYTES).image_domain.SetInParent()
    _add_fraction(schema, records.MASK_CLASS_FRACTION).shape.dim.add(size=len(classes))
    _compare_numbers(_add_fraction(schema, records.MASK_FOREGROUND_FRACTION))
    _add_fraction(schema, records.MASK_VOID_FRACTION)

    occurring = schema.feature.add(name=records.MASK_CLASSES, type=schema_pb2.BYTES, domain=_CLASS_DOMAIN)
    occurring.presence.min_fraction = 1
    occurring.presence.min_count = 1
    occurring.value_count.min = 1
    occurring.value_count.max = len(classes)
    _compare_values(occurring, drift=CLASS_DRIFT_DISTANCE, skew=CLASS_SKEW_DISTANCE)
    schema.string_domain.add(name=_CLASS_DOMAIN, value=classes)


def _add_slice(schema: schema_pb2.Schema, name: str, values: Collection[str]) -> None:
    feature = _add_fixed(schema, name, schema_pb2.BYTES)
    if 0 < len(values) <= MAX_SLICE_VALUES:
        feature.string_domain.value.extend(sorted(values))
        _compare_values(feature, drift=SLICE_DRIFT_DISTANCE, skew=SLICE_SKEW_DISTANCE)


def _add_fixed(schema: schema_pb2.Schema, name: str, type_: int) -> schema_pb2.Feature:
    feature = schema.feature.add(name=name, type=type_)
    feature.presence.min_fraction = 1
    feature.presence.min_count = 1
    feature.shape.SetInParent()
    return feature


def _add_fraction(schema: schema_pb2.Schema, name: str, highest: float = 1.0) -> schema_pb2.Feature:
    feature = _add_fixed(schema, name, schema_pb2.FLOAT)
    feature.float_domain.min = 0.0
    feature.float_domain.max = highest
    feature.float_domain.disallow_nan = True
    return feature


def _compare_numbers(feature: schema_pb2.Feature) -> None:
    feature.drift_comparator.jensen_shannon_divergence.threshold = DRIFT_DIVERGENCE
    feature.skew_comparator.jensen_shannon_divergence.threshold = SKEW_DIVERGENCE


def _compare_values(feature: schema_pb2.Feature, drift: float, skew: float) -> None:
    feature.drift_comparator.infinity_norm.threshold = drift
    feature.skew_comparator.infinity_norm.threshold = skew


def _block(kind: str, message: Message) -> str:
    """Formats a message with each of its fields on one line, more compact than protobuf's own text."""
    fields = sorted(message.ListFields(), key=lambda field: _ORDER.get(field[0].name, len(_ORDER)))
    lines = [line for field, _ in fields for line in _field_lines(message, field.name)]
    return f"{kind} {{\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def _field_lines(message: Message, name: str) -> list[str]:
    alone = type(message)()
    alone.MergeFrom(message)
    for field, _ in message.ListFields():
        if field.name != name:
            alone.ClearField(field.name)
    line = text_format.MessageToString(alone, as_one_line=True, as_utf8=True).replace("{ }", "{}")
    if len(line) <= _WIDTH:
        return [line]
    return text_format.MessageToString(alone, as_utf8=True).splitlines()


def _comment(text: str) -> str:
    lines = [wrapped for line in text.splitlines() for wrapped in textwrap.wrap(line, _WIDTH) or [""]]
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)
