"""From the fingerprint of the data to proposed settings: the rules together, and what makes them fit the rest."""

from __future__ import annotations

from components.trainer.windows.config import WindowsConfig
from pipeline.config.run_config import RunConfig
from pipeline.plan.balance import plan_class_weights, plan_windows
from pipeline.plan.fingerprint import Fingerprint
from pipeline.plan.input_size import plan_input
from pipeline.plan.normalisation import plan_normalisation
from pipeline.plan.proposal import Proposal


def propose(fingerprint: Fingerprint, config: RunConfig, gigabytes: float) -> list[Proposal]:
    """Returns the proposed settings; applied to `config` they make a valid configuration.

    Args:
        fingerprint: The training data's.
        config: What the settings are for; what the plan does not name stays as it is.
        gigabytes: Memory for a training step.
    """
    planned = plan_input(fingerprint, config, gigabytes)
    crops = planned.mode == "crop"
    return [
        *planned.proposals(config),
        plan_normalisation(fingerprint, config, planned.mode),
        *plan_class_weights(fingerprint, config),
        *(plan_windows(fingerprint, config, (planned.height, planned.width), planned.batch) if crops else ()),
        *(_fits_crop(config) if crops else _fits_resize(config, planned.tiles)),
    ]


def _fits_crop(config: RunConfig) -> list[Proposal]:
    """Returns the settings of `config` that mode crop excludes, with the values that it needs."""
    found = []
    inference, augmentation = config.trainer.inference, config.trainer.augmentation
    if config.transform.aspect == "letterbox":
        found.append(Proposal("transform.aspect", "stretch", "letterbox is for mode resize"))
    for name in ("crop", "central_crop"):
        if getattr(augmentation, name):
            found.append(Proposal(f"trainer.augmentation.{name}", None, "windows are cut anyway"))
    if not config.transform.crops and {"mode", "scale"} & inference.model_fields_set:
        reason = "the model is served at the scale of its windows"
        found.append(Proposal("trainer.inference.mode", "tile", reason))
        found.append(Proposal("trainer.inference.scale", config.transform.scale, "likewise"))
    return found


def _fits_resize(config: RunConfig, tiles: bool) -> list[Proposal]:
    """Returns the settings of `config` that mode resize excludes, with the values that it needs."""
    found = []
    if config.transform.scale != 1:
        found.append(Proposal("transform.scale", 1, "height and width decide the size"))
    if config.trainer.windows != WindowsConfig():
        found.append(Proposal("trainer.windows", {}, "windows are for mode crop"))
    if config.transform.crops or (config.trainer.inference.mode == "tile" and not tiles):
        found.append(Proposal("trainer.inference.mode", "resize", "the model is served as it is trained"))
    return found
