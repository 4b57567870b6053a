"""From made-up fingerprints to proposals, and their text, which always is a valid patch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config.run_config import RunConfig, load_config, make_config
from pipeline.plan.fingerprint import Fingerprint, ImageFacts
from pipeline.plan.network import feature_map_elements
from pipeline.plan.patch_text import patch_text
from pipeline.plan.propose import propose

CLASSES = ("background", "thing")
UNET = {"model": {"type": "unet"}}


def image(
    height: int = 256,
    width: int = 256,
    objects: float = 40.0,
    brightness: float = 0.5,
    slices: Mapping[str, str] | None = None,
) -> ImageFacts:
    widths = {0: np.array([float(height)]), 1: np.full(3, objects)}
    return ImageFacts(height, width, brightness, 0.2, slices or {}, widths)


def fingerprint(*images: ImageFacts, pixels: tuple[int, ...] = (60, 40)) -> Fingerprint:
    return Fingerprint(images, CLASSES, pixels)


def config(**sections: Any) -> RunConfig:
    raw = {"name": "made-up", "data": {"source": {"type": "manifest", "root": "data"}, "classes": list(CLASSES)}}
    return make_config({**raw, **sections}, (), "made-up")


def planned(found: Fingerprint, gigabytes: float = 8.0, **sections: Any) -> dict[str, Any]:
    return {each.key: each.value for each in propose(found, config(**sections), gigabytes)}


def reasons(found: Fingerprint, **sections: Any) -> dict[str, str]:
    return {each.key: each.reason for each in propose(found, config(**sections), 8.0)}


def test_feature_maps_are_those_of_nnunets_reference() -> None:
    assert feature_map_elements(512, 512, 32, 7) == pytest.approx(85e6, rel=0.05)


def test_large_objects_are_resized_in_the_median_shape() -> None:
    plan = planned(fingerprint(*[image(600, 800, 200.0)] * 9), trainer={"model": {"width": 16}})
    assert plan["transform.mode"] == "resize"
    assert (plan["transform.height"], plan["transform.width"]) == (384, 512)
    assert plan["trainer.model.depth"] == 6
    assert not any(key.startswith("trainer.windows") for key in plan)


def test_small_objects_in_large_images_need_windows() -> None:
    found = fingerprint(*[image(2000, 2000, 12.0)] * 9)
    plan, why = planned(found, trainer={"model": {"width": 16}}), reasons(found)
    assert plan["transform.mode"] == "crop"
    assert plan["transform.height"] == plan["transform.width"] == 512
    assert plan["trainer.windows.per_epoch"] == 137  # 9 · 2000² / 512²
    assert "the median object of class 'thing' is " in why["transform.mode"]


def test_a_slice_alone_decides_and_gets_its_share_of_the_windows() -> None:
    many = [image(slices={"kind": "dark"})] * 90
    few = [image(1024, 1024, 14.0, slices={"kind": "light"})] * 10
    found = fingerprint(*many, *few)
    plan, why = planned(found, evaluator={"slices": ["kind"]}), reasons(found)
    assert plan["transform.mode"] == "crop" and "where kind = 'light' is 3.5 pixels wide" in why["transform.mode"]
    assert plan["trainer.windows.shares"] == {"kind": {"dark": 0.75, "light": 0.25}}


def test_images_that_are_small_already_are_not_cut() -> None:
    assert planned(fingerprint(*[image(96, 96, 3.0)] * 9))["transform.mode"] == "resize"


def test_single_pixels_of_a_class_do_not_decide() -> None:
    noisy = image(800, 800, 200.0)
    noisy = replace(noisy, object_widths={0: np.r_[700.0, np.ones(500)], 1: np.array([200.0])})
    assert planned(fingerprint(*[noisy] * 9))["transform.mode"] == "resize"


def test_memory_decides_size_and_batch() -> None:
    found = fingerprint(*[image(2000, 2000, 12.0)] * 99)
    sizes, batches = zip(
        *(
            (plan["transform.height"], plan["trainer.batch_size"])
            for plan in (planned(found, gb, trainer=UNET) for gb in (0.25, 2, 80))
        ),
        strict=True,
    )
    assert sizes[0] < sizes[1] < sizes[2] == 512
    assert 8 == batches[0] < batches[1] < batches[2]


def test_a_size_that_is_rounded_up_to_one_halving_more_is_divisible_by_it() -> None:
    plan = planned(fingerprint(*[image(30, 35, 1.0)] * 9), 1.0, trainer=UNET)
    factor = 2 ** plan["trainer.model.depth"]
    assert plan["transform.height"] % factor == plan["transform.width"] % factor == 0


def test_a_batch_is_a_twentieth_of_the_pixels_and_enough_for_batch_normalisation() -> None:
    small = {"model": {"width": 8}}
    for images, batch in ((20, 8), (400, 20), (4000, 32)):
        assert planned(fingerprint(*[image(64, 64)] * images), trainer=small)["trainer.batch_size"] == batch


def test_different_exposures_need_each_images_own_statistics() -> None:
    found = fingerprint(*[image(brightness=0.05)] * 5, *[image(brightness=0.9)] * 5)
    assert planned(found)["transform.normalize"] == "picture"
    letterbox = {"aspect": "letterbox"}
    assert planned(found, trainer=UNET, transform=letterbox)["transform.normalize"] == "channel"
    assert planned(fingerprint(*[image()] * 5), trainer=UNET)["transform.normalize"] == "channel"
    encoder = {"model": {"type": "encoder_unet", "encoder": {"name": "mobilenet_v2", "weights": "none"}}}
    assert planned(fingerprint(*[image()] * 5), trainer=encoder)["transform.normalize"] == "none"


@pytest.mark.parametrize(
    ("pixels", "trainer", "weights"),
    [
        ((60, 40), {}, "none"),
        ((97, 3), {}, "inverse_root"),
        ((97, 3), {"loss": ["cross_entropy", "dice"]}, "none"),
        ((97, 3), {"class_weights": {"thing": 5}}, None),
        ((97, 0), {}, "none"),
    ],
)
def test_rare_classes_get_weights_unless_something_else_helps_them(
    pixels: tuple[int, ...], trainer: dict[str, Any], weights: str | None
) -> None:
    found = fingerprint(*[image()] * 5, pixels=pixels)
    assert planned(found, trainer=trainer).get("transform.class_weights") == weights


CONFIGS = {path.stem: path for path in sorted(Path("pipeline/configs").glob("*.yaml"))}
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"transform": {"aspect": "letterbox"}},
    {"transform": {"mode": "crop", "scale": 0.5}, "trainer": {"windows": {"shares": {"kind": {"a": 1}}}}},
    {"transform": {"mode": "crop", "scale": 0.5}, "trainer": {"inference": {"mode": "tile", "scale": 0.5}}},
    {"trainer": {"inference": {"mode": "resize", "scale": 0.5}, "augmentation": {"quarter_turns": True}}},
    {"trainer": {"inference": {"mode": "tile"}, "augmentation": {"central_crop": {"probability": 0.5}}}},
    {"trainer": {"batch_size": 64, "workers": 64, "max_pixels": 10**12}},
)

sides = st.integers(1, 6000)
names = st.sampled_from(["a", "yes", "010", "1e-3", "#ff0000", "", "null", "grau–hell", "a: b", "\x85\u2028\"'"])
facts = st.builds(
    lambda height, width, objects, brightness, kind: image(height, width, objects, brightness, {"kind": kind}),
    sides,
    sides,
    st.floats(1, 500),
    st.floats(0, 1),
    names,
)


def raw_of(given_config: str | int) -> dict[str, Any]:
    if isinstance(given_config, str):
        return yaml.safe_load(CONFIGS[given_config].read_text())  # type: ignore[no-any-return]
    raw = {"name": "made-up", "data": {"source": {"type": "manifest", "root": "data"}, "classes": list(CLASSES)}}
    return {**raw, "evaluator": {"slices": ["kind"]}, **SETTINGS[given_config]}


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given_config=st.sampled_from([*range(len(SETTINGS)), *CONFIGS]),
    images=st.lists(facts, min_size=1, max_size=12),
    gigabytes=st.floats(0.01, 200),
)
def test_the_patch_always_makes_a_valid_configuration_with_the_proposed_values(
    tmp_path: Path, given_config: str | int, images: list[ImageFacts], gigabytes: float
) -> None:
    before, patch = tmp_path / "before.yaml", tmp_path / "patch.yaml"
    before.write_text(yaml.safe_dump(raw_of(given_config)))
    settled = load_config(before)
    classes = settled.data.classes
    found = Fingerprint(tuple(images), classes, tuple(range(1, len(classes) + 1)))
    proposals = propose(found, settled, gigabytes)
    patch.write_text(patch_text(proposals, "made up"))
    after = load_config(before, [f"@{patch}"])
    for proposal in proposals:
        value: Any = after
        for part in proposal.key.split("."):
            value = getattr(value, part)
        assert value == proposal.value or proposal.key == "trainer.windows"


def test_the_text_is_yaml_with_a_reason_above_each_key() -> None:
    text = patch_text(propose(fingerprint(*[image(2000, 2000, 12.0)] * 9), config(), 8.0), "Proposed")
    lines = text.splitlines()
    assert lines[0] == "# Proposed"
    assert all(
        lines[place - 1].lstrip().startswith("#") for place, line in enumerate(lines) if ": " in line.split("#")[0]
    )
    assert max(map(len, lines)) <= 120
