"""What Kubeflow Pipelines' own driver makes of our compiled pipelines, and of specs that break our rules."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from tests.kubeflow.drivers import Driver, Drivers, Refused
from tests.kubeflow.pods import isolation
from tests.support.compiled_pipelines import EVERYTHING, documents
from tests.support.kubeflow_backend import DRIVER, program
from tests.support.metadata_server import cluster, metadata_server
from tests.support.small_spec import BROKEN, broken, small_platform, small_spec
from tests.support.small_spec import DRIVER as BY_DRIVER

pytestmark = pytest.mark.skipif(isolation() is None, reason="pods need mount namespaces, or a / that can be written")

SAMPLE = Path("pipeline/configs/sample.yaml")
EXECUTORS = small_platform()["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
Make = Callable[[Mapping[str, Mapping[str, str]]], Drivers]


@pytest.fixture
def make_drivers(tmp_path: Path) -> Iterator[Make]:
    path = program(DRIVER)
    with metadata_server() as (store, port), cluster() as address:
        yield lambda outputs: Drivers(path, store, port, address, tmp_path, outputs)


def test_every_step_of_the_sample_is_driven_to_its_pod(make_drivers: Make) -> None:
    spec, executors = documents(SAMPLE)
    driven = make_drivers({"survey": {"trainer_settings": "{}"}}).run(spec, executors)
    assert set(driven) == set(spec["root"]["dag"]["tasks"])
    assert driven["trainer"].inputs["parameterValues"]["custom_config"] == "{}"
    assert driven["trainer"].inputs["artifacts"]["transform_graph"]["artifacts"][0]["type"] == {"instanceSchema": ""}
    volumes = {volume["name"] for volume in driven["survey"].pod["volumes"]}
    assert volumes == {"segpipe", "scratch"}


@pytest.mark.parametrize(
    ("folder", "store"),
    [
        (
            "base",
            {
                "endpoint": "seaweedfs.kubeflow.svc:9000",
                "disableSSL": "true",
                "secretName": "mlpipeline-minio-artifact",
                "accessKeyKey": "accesskey",
                "secretKeyKey": "secretkey",
                "fromEnv": "false",
            },
        ),
        (
            "components/s3",
            {"secretName": "segpipe-s3", "fromEnv": "false", "region": "us-east-1", "disableSSL": "true"},
        ),
        ("components/gcs", {"fromEnv": "true"}),
    ],
)
def test_the_driver_understands_the_launchers_settings_of_k8s(
    tmp_path: Path, folder: str, store: dict[str, str]
) -> None:
    config = yaml.safe_load(Path(f"k8s/{folder}/launcher.yaml").read_text())
    objects = {"/api/v1/namespaces/kubeflow/configmaps/kfp-launcher": config}
    with metadata_server() as (metadata, port), cluster(objects) as address:
        drive = Driver(program(DRIVER), port, address, tmp_path)
        drive("ROOT_DAG", "", component=small_spec()["root"], runtime_config={"parameterValues": {"number": 1}})
        [run] = (context for context in metadata.get_contexts() if "store_session_info" in context.custom_properties)
    root = run.custom_properties["pipeline_root"].string_value
    assert root.startswith(f"{config['data']['defaultPipelineRoot']}/")
    session = json.loads(run.custom_properties["store_session_info"].string_value)
    assert session["Provider"] == root.partition("://")[0]
    assert {key: session["Params"].get(key) for key in store} == store


def test_resources_and_what_kubernetes_alone_knows_reach_the_pod(make_drivers: Make) -> None:
    driven = make_drivers({"survey": {"retrain": "true"}}).run(*documents(EVERYTHING))
    pod = driven["trainer"].pod
    main = pod["containers"][0]
    assert main["resources"]["limits"] == {"memory": "32Gi", "nvidia.com/gpu": "2"}
    assert main["resources"]["requests"] == {"cpu": "8", "memory": "32Gi"}
    assert {"mountPath": "/dev/shm", "name": "shm"} in main["volumeMounts"]
    assert {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}} in pod["volumes"]
    assert pod["nodeSelector"] == {"pool": "gpu"}
    assert pod["activeDeadlineSeconds"] == 36000
    assert pod["imagePullSecrets"] == [{"name": "registry-example"}]
    secret = {"name": "s3", "key": "id", "optional": False}
    assert {"name": "AWS_ACCESS_KEY_ID", "valueFrom": {"secretKeyRef": secret}} in main["env"]


def test_nothing_is_trained_where_the_survey_says_so_and_the_webhook_is_told(make_drivers: Make) -> None:
    driven = make_drivers({"survey": {"retrain": "false"}}).run(*documents(EVERYTHING))
    assert set(driven) == {"survey", "notify"}
    told = driven["notify"].inputs["parameterValues"]
    assert told["status"]["pipelineTaskName"] == "pipeline"
    assert (told["run_id"], told["run_name"]) == ("run-id", "a run")


def test_the_first_task_gets_the_time_of_the_run_s_creation(make_drivers: Make) -> None:
    driven = make_drivers({"survey": {"retrain": "false"}}).run(*documents(EVERYTHING))
    assert driven["survey"].inputs["parameterValues"]["schedule_time"] == "2026-01-01T00:00:00Z"


def test_the_small_spec_is_driven(make_drivers: Make) -> None:
    driven = make_drivers({"first": {"word": "yes"}}).run(small_spec(), EXECUTORS)
    assert driven["second"].triggered
    assert driven["second"].inputs["parameterValues"] == {"word": "yes"}


def test_a_condition_that_does_not_hold_skips_the_task(make_drivers: Make) -> None:
    assert not make_drivers({"first": {"word": "no"}}).run(small_spec(), EXECUTORS)["second"].triggered


@pytest.mark.parametrize("case", [case for case, change in BROKEN.items() if change.refused == BY_DRIVER])
def test_the_driver_refuses_as_our_rules_say(make_drivers: Make, case: str) -> None:
    with pytest.raises(Refused, match=r"driver\.(RootDAG|DAG|Container)\(|nil pointer"):
        make_drivers({"first": {"word": "yes"}}).run(broken(case), EXECUTORS)
