"""Kubeflow Pipelines' API server and persistence agent, release 2.17.0, beside the pods of a cluster.

They are programs of the node, as its own are, with the administrator's rights; their database is MariaDB of Debian's
package `mariadb-server-core`, which `SEGPIPE_MARIADB` names where it is unpacked and not installed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import yaml

from pipeline.kubeflow.client.api import Client, Work
from pipeline.kubeflow.client.compiled_pipeline import read_compiled
from pipeline.kubeflow.client.connection import Api, find_connection
from tests.support.cluster import Cluster, Json
from tests.support.kubeflow_backend import AGENT, API_SERVER, program

NODE = "172.30.255.2"
"""The node's address, as this machine and the pods see it."""
HTTP, GRPC = 8888, 8887  # manifests/kustomize/base/pipeline/ml-pipeline-apiserver-service.yaml
_DATABASE = 3306
_TOKEN = "/var/run/secrets/kubeflow/tokens/persistenceagent-sa-token"  # agent/persistence/client/tokenrefresher
_INSIDE = Path("/run/cluster/pipelines")  # `run/pipelines` of the cluster's state, as its programs see it.
_SCHEDULES: Json = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "scheduledworkflows.kubeflow.org"},
    "spec": {
        "group": "kubeflow.org",
        "scope": "Namespaced",
        "names": {"kind": "ScheduledWorkflow", "listKind": "ScheduledWorkflowList", "plural": "scheduledworkflows"},
        "versions": [
            {
                "name": "v1beta1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


class PipelinesApi:
    """At work while it is open as a context."""

    def __init__(self, cluster: Cluster, namespace: str, object_store: str, images: Mapping[str, str]) -> None:
        """Takes the namespace of the runs, the store's address, and `V2_DRIVER_IMAGE` and its like."""
        self.cluster, self.namespace = cluster, namespace
        self._store, self._images = object_store.rpartition(":"), dict(images)
        self._files = cluster.places.run / "pipelines"
        self.address = f"http://{NODE}:{HTTP}"

    def __enter__(self) -> PipelinesApi:
        try:
            self._open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _open(self) -> None:
        self.cluster.apply(_SCHEDULES)
        self.cluster.kubectl("wait", "--for=condition=Established", f"crd/{_SCHEDULES['metadata']['name']}")
        (self._files / "data").mkdir(parents=True, exist_ok=True)
        (self._files / "config.json").write_text(json.dumps(self._settings()))
        self._start_database()
        self.start()
        _run(self.cluster, "sh", "-c", f"mkdir -p {Path(_TOKEN).parent} && printf token >{_TOKEN}")
        server = ("--mlPipelineAPIServerName", "127.0.0.1", "--namespace", self.namespace)
        self._spawn("kfp-agent", program(AGENT), *server, "--kubeconfig", self.cluster.kubeconfig)

    def __exit__(self, *_: object) -> None:
        for name in ("kfp-agent", "kfp-api-server", "mariadb"):
            self.cluster.node.sandbox.end(name)
        shutil.rmtree(self._files, ignore_errors=True)

    def start(self) -> None:
        """Starts the API server, and waits until it answers."""
        self._spawn("kfp-api-server", program(API_SERVER), "--config", _INSIDE, "--logtostderr")
        log = self.cluster.places.logs / "kfp-api-server.log"
        deadline = time.monotonic() + 180
        while not self.answers():
            is_at_work = self.cluster.node.sandbox.pid("kfp-api-server") is not None
            assert is_at_work and time.monotonic() < deadline, log.read_text()[-4000:]
            time.sleep(0.5)

    def kill(self) -> None:
        """Ends the API server at once."""
        sandbox = self.cluster.node.sandbox
        _run(self.cluster, "kill", f"-{signal.SIGKILL.value}", sandbox.pid("kfp-api-server"))
        deadline = time.monotonic() + 30
        while sandbox.pid("kfp-api-server") is not None or self.answers():
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def answers(self) -> bool:
        """Whether the API server says that it is well."""
        try:
            with urllib.request.urlopen(f"{self.address}/apis/v2beta1/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def start_run(self, text: str, parameters: Json, pipeline_root: str, account: str) -> str:
        """Uploads a compiled pipeline, unless it is there, and starts a run of it; the run's id."""
        client = Client(Api(find_connection(self.address, environment={})), namespace="")
        compiled = read_compiled(text)
        name = str(next(iter(yaml.safe_load_all(text)))["pipelineInfo"]["name"])
        version = client.ensure_version(client.ensure_pipeline(name), compiled, "test")
        work = Work(client.ensure_experiment(name), version, parameters, pipeline_root, account)
        return client.start_run(f"run of {name}", work)

    def _start_database(self) -> None:
        root = find_mariadb()
        options = {
            "datadir": _INSIDE / "data",
            "basedir": root / "usr",
            "lc-messages-dir": root / "usr/share/mysql",
            "socket": _INSIDE / "mariadb.sock",
            "pid-file": _INSIDE / "mariadb.pid",
            "bind-address": "127.0.0.1",
            "port": _DATABASE,
            "user": "root",
            "character-set-server": "utf8mb4",  # As MySQL 8 has it, which Kubeflow Pipelines brings.
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        self._spawn("mariadb", root / "usr/sbin/mariadbd", "--no-defaults", "--skip-grant-tables", *words)

    def _settings(self) -> Json:
        """As backend/src/apiserver/config/config.json has it, for what is here."""
        host, _, port = self._store
        database = {"Host": "127.0.0.1", "Port": str(_DATABASE), "User": "root", "Password": "", "DBName": "mlpipeline"}
        store = {"Host": host, "Port": port, "AccessKey": "id", "SecretAccessKey": "key", "BucketName": "mlpipeline"}
        return {
            "DBDriverName": "mysql",
            "DBConfig": {"MySQLConfig": {**database, "GroupConcatMaxLen": "4194304"}, "ConMaxLifeTime": "120s"},
            "ObjectStoreConfig": {**store, "PipelinePath": "pipelines", "Secure": "false"},
            "InitConnectionTimeout": "2m",
            "CacheEnabled": "true",
            "ML_PIPELINE_VISUALIZATIONSERVER_SERVICE_HOST": "127.0.0.1",  # Nobody is there, and nobody asks.
            "ML_PIPELINE_VISUALIZATIONSERVER_SERVICE_PORT": "1",
        }

    def _spawn(self, name: str, path: str | Path, *words: object) -> None:
        variables = {"KUBECONFIG": str(self.cluster.kubeconfig), "POD_NAMESPACE": self.namespace, **self._images}
        libraries = os.pathsep.join(str(folder) for folder in _libraries(find_mariadb())) if name == "mariadb" else ""
        env = {**os.environ, **variables, **({"LD_LIBRARY_PATH": libraries} if libraries else {})}
        self.cluster.node.sandbox.spawn(name, (path, *words), env)


def why_not() -> str:
    """Why there can be no API server here, beyond its programs; empty if there can."""
    if not (find_mariadb() / "usr/sbin/mariadbd").exists():
        return "there is no MariaDB; install Debian's mariadb-server-core, or name its unpacked root in SEGPIPE_MARIADB"
    return ""


def find_mariadb() -> Path:
    """The root below which the package's files lie."""
    return Path(os.environ.get("SEGPIPE_MARIADB") or "/")


def _libraries(root: Path) -> list[Path]:
    return [] if root == Path("/") else [*root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu")]


def _run(cluster: Cluster, *command: object) -> None:
    subprocess.run(cluster.node.sandbox.inside(*command), check=True)
