"""Executor of the step `ImageMaskExampleGen`."""

from __future__ import annotations

from typing import Any

from apache_beam.io.filesystems import FileSystems
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from common import progress
from common.errors import UserError
from common.records import SPLITS
from components import component_keys as keys
from components.example_gen.causes import describe_causes
from components.example_gen.config import DataConfig
from components.example_gen.ingestion import Ingestion
from components.example_gen.pipeline import Destination, ingest
from components.example_gen.quarantine import QUARANTINE_FILE, SUMMARY_FILE, IngestionSummary, Quarantined
from components.example_gen.split_counts import describe

_SHOWN = 8
FINGERPRINT_PROPERTY = "fingerprint"


class Executor(base_beam_executor.BaseBeamExecutor):
    """Reads the data source and writes the examples and the quarantine."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Ingests all pairs.

        Args:
          input_dict: nothing.
          output_dict: `examples` and `quarantine`, one artifact each.
          exec_properties: `data_config` (JSON of a `DataConfig`) and `seed`; the others only tell TFX's cache what the
            result depends on.

        Raises:
          UserError: the source is not usable, or none of its pairs is.
        """
        del input_dict
        config = DataConfig.model_validate_json(exec_properties[keys.DATA_CONFIG])
        examples = artifact_utils.get_single_instance(output_dict[keys.EXAMPLES])
        quarantine = artifact_utils.get_single_instance(output_dict[keys.QUARANTINE])
        destination = Destination(examples.uri.rstrip("/"), quarantine.uri.rstrip("/"))
        ingestion = Ingestion(config, exec_properties[keys.SEED])
        progress.update("listing the pairs")
        listing = ingestion.listing()
        destination.prepare()
        with self._make_beam_pipeline() as pipeline:
            ingest(pipeline, ingestion, listing, config.classes, destination)
        destination.clean()
        _describe_examples(examples, listing.fingerprint)
        with FileSystems.open(f"{destination.quarantine}/{SUMMARY_FILE}") as file:
            summary = IngestionSummary.model_validate_json(file.read())
        for note in summary.notes[:_SHOWN]:
            progress.report(note)
        for line in describe_causes(summary.causes, _SHOWN):
            progress.report(f"quarantined: {line}")
        progress.report(describe(summary))
        _require_pairs(summary, f"{destination.quarantine}/{QUARANTINE_FILE}")


def _describe_examples(examples: types.Artifact, fingerprint: str) -> None:
    examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
    examples.set_string_custom_property(FINGERPRINT_PROPERTY, fingerprint)
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)


def _require_pairs(summary: IngestionSummary, quarantine: str) -> None:
    if any(summary.used.values()):
        return
    with FileSystems.open(quarantine) as file:
        first = Quarantined.model_validate_json(file.readline())
    raise UserError(
        f"no usable pair among {summary.found}; first failure: {first.id}: "
        f"{first.reason.value}: {first.detail}{_by_cause(summary, first)}"
    )


def _by_cause(summary: IngestionSummary, first: Quarantined) -> str:
    """Returns the remedy of the first failure, or the list of causes if there are several."""
    if len(summary.causes) > 1:
        return "; all causes: " + "; ".join(describe_causes(summary.causes, _SHOWN))
    rest = summary.found - 1
    others = f" (and {'1 other' if rest == 1 else f'{rest} others'} with the same cause)" if rest else ""
    return f"{others}; {first.remedy}" if first.remedy else others
