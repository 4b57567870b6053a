"""Kubernetes API client of a step, in plain JSON: pods, Jobs and Services of its own namespace."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from common import progress
from common.errors import UserError
from pipeline.kubeflow.json_types import Json

_T = TypeVar("_T")

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_POD_VARIABLE = "KFP_POD_NAME"  # backend/src/v2/component/constants.go of kubeflow/pipelines
_TRIES = 6
_SECONDS = (10, 60)
"""Timeouts of connecting and of the response."""


class Cluster:
    """API of one namespace; temporary errors (API server restarts, network failures) are retried for a minute."""

    def __init__(self, api_client: Any, namespace: str, wait: float = 2.0) -> None:
        """Takes a `kubernetes.client.ApiClient`, and the seconds before the first retry, which double each time.

        The package is imported here, because that takes a second and most steps do not need it.
        """
        from kubernetes import client

        self._core = client.CoreV1Api(api_client)
        self._batch = client.BatchV1Api(api_client)
        self._refused: type[Exception] = client.ApiException
        self._namespace = namespace
        self._wait = wait

    @classmethod
    def around_this_pod(cls) -> Cluster:
        """Returns the API of this pod's namespace, with the permissions of its service account.

        Raises:
            UserError: this process is not in a pod.
        """
        from kubernetes import client, config

        try:
            config.load_incluster_config()
            namespace = _NAMESPACE_FILE.read_text().strip()
        except (config.ConfigException, OSError) as error:
            raise UserError(f"several workers need a cluster, and this process is not in a pod: {error}") from error
        return cls(client.ApiClient(), namespace)

    def own_pod(self) -> Json:
        """Returns the pod of this process."""
        name = os.environ.get(_POD_VARIABLE) or socket.gethostname()
        return self._json("get", f"pod {name}", self._core.read_namespaced_pod, name)

    def create_job(self, manifest: Json) -> None:
        """Creates a Job."""
        self._json("create", "jobs", self._batch.create_namespaced_job, body=manifest)

    def create_service(self, manifest: Json) -> None:
        """Creates a Service."""
        self._json("create", "services", self._core.create_namespaced_service, body=manifest)

    def job(self, name: str) -> Json:
        """Returns the Job with its status."""
        return self._json("get", f"job {name}", self._batch.read_namespaced_job, name)

    def pods(self, selector: str) -> list[Json]:
        """Returns all pods that match a label selector."""
        listed = self._json("list", "pods", self._core.list_namespaced_pod, label_selector=selector)
        return listed.get("items") or []

    def set_deadline(self, job: str, seconds: int) -> None:
        """Sets the Job's deadline, in seconds after its start."""
        body = {"spec": {"activeDeadlineSeconds": seconds}}
        self._json("patch", f"job {job}", self._batch.patch_namespaced_job, job, body=body)

    def log_lines(self, pod: str, since: int | None = None) -> Iterator[str]:
        """Yields lines of the pod's log with timestamps, from `since` seconds ago until the pod ends."""
        options = {} if since is None else {"since_seconds": since}
        response = self._core.read_namespaced_pod_log(
            pod, self._namespace, follow=True, timestamps=True, _preload_content=False, **options
        )
        rest = b""
        for chunk in response.stream(decode_content=True):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in lines)
        if rest:
            yield rest.decode("utf-8", "replace")

    def delete_job(self, name: str) -> None:
        """Deletes a Job and its pods, if it exists."""
        self._delete(f"job {name}", self._batch.delete_namespaced_job, name)

    def delete_service(self, name: str) -> None:
        """Deletes a Service, if it exists."""
        self._delete(f"service {name}", self._core.delete_namespaced_service, name)

    def _delete(self, what: str, call: Callable[..., Any], name: str) -> None:
        self._json("delete", what, call, name, propagation_policy="Background", gone_is_fine=True)

    def _json(
        self, verb: str, what: str, call: Callable[..., Any], *args: Any, gone_is_fine: bool = False, **options: Any
    ) -> Json:
        def ask() -> Json:
            response = call(
                *args, namespace=self._namespace, _preload_content=False, _request_timeout=_SECONDS, **options
            )
            return json.loads(response.data)

        return self._patiently(verb, what, ask, gone_is_fine)

    def _patiently(self, verb: str, what: str, ask: Callable[[], Json], gone_is_fine: bool) -> Json:
        from urllib3.exceptions import HTTPError

        for tried in range(1, _TRIES + 1):
            try:
                return ask()
            except self._refused as error:
                status = getattr(error, "status", None) or 0
                if status == 404 and gone_is_fine:
                    return {}
                if status == 409 and verb == "create" and tried > 1:  # The first attempt had succeeded.
                    return {}
                problem, passing = _said(error), status >= 500 or status == 429
            except (HTTPError, OSError) as error:
                problem, passing = f"{type(error).__name__}: {error}", True
            if not passing or tried == _TRIES:
                break
            progress.update(f"Kubernetes does not answer ({problem}); trying again")
            time.sleep(self._wait * 2 ** (tried - 1))
        raise UserError(f"Kubernetes did not let this step {verb} {what} in {self._namespace}: {problem}")


def _said(error: Exception) -> str:
    """Returns the API server's message, which names the missing permission."""
    try:
        return json.loads(getattr(error, "body", "") or "")["message"]
    except (ValueError, KeyError, TypeError):
        return f"{getattr(error, 'status', '')} {getattr(error, 'reason', '')}".strip()
