"""Run-time state: the state outside the pipeline that a run depends on, captured once when the run starts.

If a part of it changes, the steps that depend on it run again, see `parameters.RunValues`.
"""

from __future__ import annotations

from dataclasses import dataclass

from components.trainer.config import BLESSED, NONE
from pipeline.config.run_config import RunConfig
from registry.state import holdings_state, registry_state
from registry.store import Registry


@dataclass(frozen=True)
class RunState:
    """State of data, registry and initial weights when a run starts.

    Attributes:
        data_fingerprint: Digest of the data's listing.
        drift_baseline: Fingerprint of the data that last passed the data gate, the baseline of the drift check; empty
            if there is none.
        registry_state: Digest of what is served.
        holdings_state: Digest of the registry's inventory of versions.
        resume_root: Checkpoint directory from which an interrupted training resumes.
        encoder_weights: Digest of the encoder's initial weights; empty without an encoder.
        initial_model: State of the model that `trainer.warm_start` names; empty without a warm start.
    """

    data_fingerprint: str
    drift_baseline: str
    registry_state: str
    holdings_state: str
    resume_root: str
    encoder_weights: str = ""
    initial_model: str = ""


def capture_run_state(config: RunConfig, resume_root: str = "") -> RunState:
    """Captures the run-time state of data, registry and initial weights.

    Args:
        config: The configuration.
        resume_root: Checkpoint directory for resuming an interrupted training; defaults to the workspace.

    Raises:
        UserError: the data, the registry or the initial model is not usable, or the data lacks a slice that the
            evaluator's configuration names.
    """
    from components.example_gen.sources import open_source  # Imports Beam.
    from pipeline.dag.slices import check_slices

    registry = Registry(config.registry_uri)
    registry.check_holds(config.name)
    listing = open_source(config.data.source).listing()
    check_slices(config, listing)
    fingerprint = listing.fingerprint
    statistics = registry.latest_statistics(other_than=fingerprint)
    return RunState(
        data_fingerprint=fingerprint,
        drift_baseline=statistics[0] if statistics else "",
        registry_state=registry_state(config.registry_uri),
        holdings_state=holdings_state(config.registry_uri),
        resume_root=resume_root or str(config.workspace_dir / "resume"),
        encoder_weights=_encoder_weights(config),
        initial_model=_initial_model(config.trainer.warm_start),
    )


def _encoder_weights(config: RunConfig) -> str:
    if config.trainer.model.encoder is None:
        return ""
    from components.trainer.models.weights import weights_digest  # Imports TensorFlow, as the next one does.

    return weights_digest(config.trainer.model.encoder)


def _initial_model(warm_start: str) -> str:
    if warm_start in (NONE, BLESSED):
        return ""
    from components.trainer.warm_start import exported_state

    return exported_state(warm_start)
