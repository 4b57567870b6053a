"""What a run finds when it starts, wherever it runs: the state of the data and of the registry."""

from __future__ import annotations

from components.trainer.config import BLESSED, NONE
from pipeline.config import RunConfig
from pipeline.found import Found
from registry.state import holdings_state, registry_state
from registry.store import Registry


def look_around(config: RunConfig, resume_root: str = "") -> Found:
    """The state of data and registry as the run begins.

    Args:
        config: The configuration.
        resume_root: Folder in which a killed training finds itself again; the workspace's without it.

    Raises:
        UserError: the data, the registry or the model to begin with is not usable, or the data does not have a slice
            that the evaluator is asked for.
    """
    from components.example_gen.sources import open_source  # Imports Beam.
    from pipeline.slices import check_slices

    registry = Registry(config.registry_uri)
    registry.check_holds(config.name)
    listing = open_source(config.data.source).listing()
    check_slices(config, listing)
    fingerprint = listing.fingerprint
    statistics = registry.latest_statistics(other_than=fingerprint)
    return Found(
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
