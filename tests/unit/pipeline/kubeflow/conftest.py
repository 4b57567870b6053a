"""Fixtures of the cluster's tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.kubeflow.workers.cluster import Cluster
from tests.support.kubernetes_api import NAMESPACE, FakeKubernetes, step_pod


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKubernetes]:
    """A cluster with the step's pod, which this process is in."""
    pod = step_pod()
    monkeypatch.setenv("KFP_POD_NAME", pod["metadata"]["name"])
    server = FakeKubernetes(tmp_path, pod)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.close()
    thread.join()


@pytest.fixture
def cluster(kubernetes: FakeKubernetes) -> Cluster:
    """As the step sees it."""
    from kubernetes import client

    configuration = client.Configuration(host=kubernetes.url)
    return Cluster(client.ApiClient(configuration), NAMESPACE, wait=0.01)
