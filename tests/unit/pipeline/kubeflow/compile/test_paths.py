"""Paths of the configuration on a cluster, and the volumes that steps mount for them."""

from __future__ import annotations

from typing import Any

import pytest

from common.errors import UserError
from pipeline.kubeflow.compile.paths import mounts, on_cluster
from pipeline.kubeflow.config import StepOptions, Volume
from tests.support.cluster_config import DATA, cluster_config

COMMON = Volume(claim="segpipe", mount="/mnt/segpipe")
FLINK = {"runner": "flink", "environment": "external", "staging": "staging"}
BUCKETS = {"registry": "s3://models/small", "data": {**DATA, "source": {"type": "folders", "root": "gs://pictures"}}}


def test_a_relative_path_lies_on_the_common_volume() -> None:
    assert on_cluster(cluster_config()).data.source.root == "/mnt/segpipe/data/pictures"


def test_the_registry_is_where_a_local_run_would_have_it_below_the_volume() -> None:
    assert on_cluster(cluster_config()).registry_uri == "/mnt/segpipe/runs/small/registry"
    assert on_cluster(cluster_config(workspace="work")).registry_uri == "/mnt/segpipe/work/registry"
    assert on_cluster(cluster_config(registry="models")).registry_uri == "/mnt/segpipe/models"


def test_addresses_and_absolute_paths_stay_as_they_are() -> None:
    there = on_cluster(cluster_config(**BUCKETS))
    assert (there.data.source.root, there.registry) == ("gs://pictures", "s3://models/small")
    assert on_cluster(cluster_config(registry="/models")).registry == "/models"


@pytest.mark.parametrize(
    ("trainer", "key", "expected"),
    [
        ({"warm_start": "blessed"}, "warm_start", "blessed"),
        ({"warm_start": "models/old"}, "warm_start", "/mnt/segpipe/models/old"),
    ],
)
def test_words_that_are_no_paths_stay_as_they_are(trainer: dict[str, Any], key: str, expected: str) -> None:
    assert getattr(on_cluster(cluster_config(trainer=trainer)).trainer, key) == expected


def test_prepared_data_sets_are_on_the_volume_too() -> None:
    data = {"source": {"type": "tfds", "name": "pets"}, "classes": ["background", "thing"]}
    assert on_cluster(cluster_config(data=data)).data.source.data_dir == "/mnt/segpipe/tensorflow_datasets"


def test_without_the_volume_a_relative_path_is_refused() -> None:
    with pytest.raises(UserError, match=r"data\.source\.root is 'data/pictures', a relative path"):
        on_cluster(cluster_config({"volume": None}, registry="s3://models"))


def test_a_path_must_not_leave_the_volume() -> None:
    with pytest.raises(UserError, match="leaves the volume"):
        on_cluster(cluster_config(registry="../models"))


def test_what_is_not_said_of_a_step_stays_unsaid() -> None:
    config = cluster_config({"steps": {"trainer": {"cpu": "4"}}})
    assert on_cluster(config).kubeflow.steps["trainer"].model_fields_set == {"cpu"}


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("survey", (COMMON,)),
        ("image-mask-example-gen", (COMMON,)),
        ("data-gate", (COMMON,)),
        ("registry-pusher", (COMMON,)),
        ("trainer", ()),
        ("transform", ()),
    ],
)
def test_only_steps_that_go_there_mount_the_common_volume(task: str, expected: tuple[Volume, ...]) -> None:
    assert mounts(on_cluster(cluster_config()), task, StepOptions()) == expected


def test_with_everything_in_buckets_no_step_mounts_it() -> None:
    there = on_cluster(cluster_config(**BUCKETS))
    assert [mounts(there, task, StepOptions()) for task in ("survey", "registry-pusher")] == [(), ()]


def test_a_volume_of_the_step_serves_as_well() -> None:
    there = on_cluster(cluster_config({"resume_dir": "/resume/runs"}))
    own = Volume(claim="resume", mount="/resume")
    assert mounts(there, "trainer", StepOptions(volumes=(own,))) == (own,)


def test_a_path_on_no_volume_is_refused_by_key_and_step() -> None:
    there = on_cluster(cluster_config({"resume_dir": "/resume"}))
    message = (
        r"kubeflow\.resume_dir is /resume, which is on no volume of the step trainer; .*"
        r"kubeflow\.steps\.trainer\.volumes"
    )
    with pytest.raises(UserError, match=message):
        mounts(there, "trainer", StepOptions())


@pytest.mark.parametrize("path", ["/mnt/segpipes/x", "/mnt/segpipe/../x"])
def test_beside_the_volume_is_not_on_it(path: str) -> None:
    with pytest.raises(UserError, match="is on no volume"):
        mounts(on_cluster(cluster_config(registry=path)), "baseline", StepOptions())


def test_no_claim_is_mounted_twice() -> None:
    twice = StepOptions(volumes=(Volume(claim="segpipe", mount="/other"),))
    with pytest.raises(UserError, match="the claim segpipe appears twice in the step survey"):
        mounts(on_cluster(cluster_config()), "survey", twice)


def test_staging_is_on_the_common_volume_which_the_steps_on_beam_mount() -> None:
    there = on_cluster(cluster_config(beam=FLINK))
    assert getattr(there.beam, "staging", None) == "/mnt/segpipe/staging"
    assert mounts(there, "transform", StepOptions()) == (COMMON,)
    assert mounts(there, "trainer", StepOptions()) == ()


def test_a_step_may_be_staged_on_a_claim_of_its_own() -> None:
    beam = {**FLINK, "staging": "/fast/staging"}
    there = on_cluster(cluster_config({"steps": {"transform": {"beam": beam}}}))
    own = Volume(claim="fast", mount="/fast")
    assert mounts(there, "transform", StepOptions(volumes=(own,))) == (own,)
    assert mounts(there, "statistics-gen", StepOptions()) == ()
    with pytest.raises(UserError, match=r"beam\.staging is /fast/staging, which is on no volume of the step transform"):
        mounts(there, "transform", StepOptions())
