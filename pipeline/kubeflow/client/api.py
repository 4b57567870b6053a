"""Pipelines, experiments, runs and schedules on a cluster, through the REST API v2beta1 of Kubeflow Pipelines.

Its responses are defined in `backend/api/v2beta1/*.proto` and `backend/src/apiserver/server` of
kubeflow/pipelines.  Requests and responses are the models of `kfp_server_api`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import kfp_server_api as models

from common.errors import UserError
from pipeline.kubeflow.client.compiled_pipeline import Compiled, Value
from pipeline.kubeflow.client.connection import AlreadyExistsError, Api, ApiError, NotFoundError
from pipeline.kubeflow.json_types import Json

ENDED = frozenset({"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"})
"""Final states of a run (backend/api/v2beta1/run.proto, RuntimeState); a new run has no state yet."""

TERMINATED = "TERMINATED"
"""State of a run that a person terminated."""

_ROOT = "/apis/v2beta1"
_PAGE = 100

Found = TypeVar("Found")


def state_of(run: Any, was_canceling: bool = False) -> str:
    """Returns the state of a run, or `TERMINATED`.

    The API keeps a run that was terminated as FAILED: `TerminateRun` (apiserver/storage/run_store.go) makes it
    CANCELING, which a later report of the workflow replaces.  The history has CANCELING only if a report came in
    between; a caller that saw it passes `was_canceling`.
    """
    history = [entry.state for entry in run.state_history or []]
    if run.state == "CANCELED" or (run.state == "FAILED" and (was_canceling or "CANCELING" in history)):
        return TERMINATED
    return str(run.state or "unknown")


class Version(NamedTuple):
    """An uploaded pipeline version, and whether it was uploaded just now."""

    pipeline_id: str
    version_id: str
    name: str
    is_new: bool


class Work(NamedTuple):
    """What a run, or each run of a schedule, executes."""

    experiment_id: str
    version: Version
    parameters: dict[str, Value]
    pipeline_root: str
    service_account: str

    @property
    def fields(self) -> dict[str, Any]:
        """Returns the fields that runs and schedules have in common."""
        return {
            "experiment_id": self.experiment_id,
            "pipeline_version_reference": models.V2beta1PipelineVersionReference(
                pipeline_id=self.version.pipeline_id, pipeline_version_id=self.version.version_id
            ),
            "runtime_config": models.V2beta1RuntimeConfig(parameters=self.parameters, pipeline_root=self.pipeline_root),
            "service_account": self.service_account,
        }


class Client:
    """API calls that the commands need.  All methods raise `ApiError`, whose message is for the user."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    def check(self) -> None:
        """Checks that the API responds, before expensive work."""
        self._api.get(f"{_ROOT}/healthz", "V2beta1GetHealthzResponse")

    def run_address(self, run_id: str) -> str:
        """Returns the address of a run's page in the dashboard."""
        return self._api.connection.run_address(run_id)

    def find_pipeline(self, name: str) -> str | None:
        """Returns the id of the pipeline called `name`."""
        try:
            path = f"{_ROOT}/pipelines/names/{quote(name, safe='')}"
            found = self._api.get(path, "V2beta1Pipeline", namespace=self._namespace)
        except NotFoundError:
            return None
        return str(found.pipeline_id)

    def ensure_pipeline(self, name: str) -> str:
        """Returns the id of the pipeline called `name`, which is created if missing."""
        wanted = models.V2beta1Pipeline(display_name=name, namespace=self._namespace)
        return _found_or_made(
            lambda: self.find_pipeline(name),
            lambda: str(self._api.post(f"{_ROOT}/pipelines", "V2beta1Pipeline", wanted).pipeline_id),
        )

    def ensure_version(self, pipeline_id: str, compiled: Compiled, commit: str) -> Version:
        """Returns the version that holds `compiled`: an existing one, or an upload named for commit and digest."""
        name = f"{commit}-{compiled.digest}"

        def upload() -> Version:
            uploaded = self._upload(pipeline_id, name, compiled.text)
            return Version(pipeline_id, str(uploaded.pipeline_version_id), name, is_new=True)

        return _found_or_made(lambda: self._version_with(pipeline_id, compiled.digest), upload)

    def _version_with(self, pipeline_id: str, digest: str) -> Version | None:
        versions = self._pages(
            f"{_ROOT}/pipelines/{pipeline_id}/versions",
            "V2beta1ListPipelineVersionsResponse",
            "pipeline_versions",
            filter=_filter("display_name", digest, "IS_SUBSTRING"),
            sort_by="created_at desc",
        )
        for version in versions:
            if version.display_name.endswith(f"-{digest}"):
                return Version(pipeline_id, version.pipeline_version_id, version.display_name, is_new=False)
        return None

    def _upload(self, pipeline_id: str, name: str, text: str) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            # The API server tells YAML from archives by the file's name.
            file = Path(folder) / "pipeline.yaml"
            file.write_text(text)
            path = f"{_ROOT}/pipelines/upload_version"
            return self._api.upload(path, file, "V2beta1PipelineVersion", name=name, pipelineid=pipeline_id)

    def find_experiment(self, name: str) -> str | None:
        """Returns the id of the experiment called `name`.

        Raises:
            UserError: it is archived.
        """
        experiments = self._pages(
            f"{_ROOT}/experiments",
            "V2beta1ListExperimentsResponse",
            "experiments",
            namespace=self._namespace,
            filter=_filter("display_name", name),
        )
        found = next(experiments, None)
        if found is not None and found.storage_state == "ARCHIVED":
            raise UserError(f"the experiment {name!r} is archived: restore it, or choose another kubeflow.experiment")
        return str(found.experiment_id) if found is not None else None

    def ensure_experiment(self, name: str) -> str:
        """Returns the id of the experiment called `name`, which is created if missing."""
        wanted = models.V2beta1Experiment(display_name=name, namespace=self._namespace)
        return _found_or_made(
            lambda: self.find_experiment(name),
            lambda: str(self._api.post(f"{_ROOT}/experiments", "V2beta1Experiment", wanted).experiment_id),
        )

    def start_run(self, name: str, work: Work) -> str:
        """Starts a run and returns its id."""
        wanted = models.V2beta1Run(display_name=name, **work.fields)
        return str(self._api.post(f"{_ROOT}/runs", "V2beta1Run", wanted).run_id)

    def run(self, run_id: str) -> Any:
        """Returns the run, as a `V2beta1Run`."""
        return self._api.get(f"{_ROOT}/runs/{quote(run_id, safe='')}", "V2beta1Run")

    def workflow(self, run_id: str) -> Json | None:
        """Returns the run's last reported Argo workflow, empty before the first report; `None` if not available.

        Only the workflow has Argo's messages about nodes.  The API v2beta1 does not return it; v1beta1 does, for the
        same run (`toApiRunDetailV1` in apiserver/server/api_converter.go), in 2.17 and after the removal of ML
        Metadata.
        """
        try:
            found = self._api.get(f"/apis/v1beta1/runs/{quote(run_id, safe='')}", "object")
            manifest = (found.get("pipeline_runtime") or {}).get("workflow_manifest")
            workflow = json.loads(manifest) if manifest else {}
        except (ApiError, ValueError, AttributeError):
            return None
        return workflow if isinstance(workflow, dict) else None

    def pod(self, pod: str) -> Json:
        """Returns a pod as the dashboard shows it (frontend/server/handlers/pod-info.ts); empty if it does not."""
        return self._of_dashboard("/k8s/pod", pod)

    def pod_events(self, pod: str) -> list[Json]:
        """Returns the events of a pod as the dashboard shows them; none if it does not."""
        items = self._of_dashboard("/k8s/pod/events", pod).get("items")
        return [event for event in items if isinstance(event, dict)] if isinstance(items, list) else []

    def _of_dashboard(self, path: str, pod: str) -> Json:
        try:
            found = self._api.get(path, "object", podname=pod, podnamespace=self._namespace)
        except ApiError:
            return {}
        return found if isinstance(found, dict) else {}

    def runs(self, experiment_id: str, pipeline_id: str, most: int) -> list[Any]:
        """Returns the latest runs of a pipeline in an experiment, newest first."""
        runs = self._pages(
            f"{_ROOT}/runs",
            "V2beta1ListRunsResponse",
            "runs",
            experiment_id=experiment_id,
            sort_by="created_at desc",
        )
        return list(itertools.islice((run for run in runs if _pipeline_of(run) == pipeline_id), most))

    def active_runs_of(self, schedule_id: str) -> list[Any]:
        """Returns the runs of a schedule that have not ended."""
        runs = self._pages(
            f"{_ROOT}/runs",
            "V2beta1ListRunsResponse",
            "runs",
            namespace=self._namespace,
            sort_by="created_at desc",
            filter=_filter("recurring_run_id", schedule_id),
        )
        return [run for run in itertools.islice(runs, _PAGE) if run.state not in ENDED]

    def terminate(self, run_id: str) -> None:
        """Terminates a run; its pods are stopped a little later."""
        self._api.post(f"{_ROOT}/runs/{quote(run_id, safe='')}:terminate")

    def pod_log(self, run_id: str, pod: str) -> str | None:
        """Returns the log of a run's pod from the API server or else from the dashboard's; None if neither has it."""
        named = {"podname": pod, "podnamespace": self._namespace, "runid": run_id}
        for path, query in ((f"/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log", {}), ("/k8s/pod/logs", named)):
            try:
                log = str(self._api.get(path, "str", **query))
            except ApiError:
                continue
            # The API server has sent its 200 when it learns that the pod is gone (run_log_server.go).
            if "error_details" not in log:
                return log
        return None

    def schedules(self, name: str, pipeline_id: str) -> list[Any]:
        """Returns the recurring runs called `name` of a pipeline, in any experiment, newest first."""
        found = self._pages(
            f"{_ROOT}/recurringruns",
            "V2beta1ListRecurringRunsResponse",
            "recurring_runs",
            namespace=self._namespace,
            filter=_filter("display_name", name),
        )
        mine = [schedule for schedule in found if _pipeline_of(schedule) == pipeline_id]
        return sorted(mine, key=age, reverse=True)

    def create_schedule(self, name: str, cron: str, work: Work, description: str, enabled: bool) -> Any:
        """Creates a recurring run, one run at a time and without catching up; returns it."""
        wanted = models.V2beta1RecurringRun(
            display_name=name,
            description=description,
            trigger=models.V2beta1Trigger(cron_schedule=models.V2beta1CronSchedule(cron=cron)),
            max_concurrency="1",
            no_catchup=True,
            mode="ENABLE" if enabled else "DISABLE",
            **work.fields,
        )
        return self._api.post(f"{_ROOT}/recurringruns", "V2beta1RecurringRun", wanted)

    def enable_schedule(self, schedule_id: str) -> None:
        """Enables a schedule."""
        self._api.post(f"{_ROOT}/recurringruns/{schedule_id}:enable")

    def disable_schedule(self, schedule_id: str) -> None:
        """Disables a schedule; a run in progress continues."""
        self._api.post(f"{_ROOT}/recurringruns/{schedule_id}:disable")

    def delete_schedule(self, schedule_id: str) -> None:
        """Deletes a schedule, which may be gone already, but not its runs.

        A run's workflow is owned by its schedule: without ORPHAN, Kubernetes would delete it too, while it runs.
        """
        with contextlib.suppress(NotFoundError):
            self._api.delete(f"{_ROOT}/recurringruns/{schedule_id}", propagation_policy="ORPHAN")

    def _pages(self, path: str, returns: str, items: str, **query: str | int) -> Iterator[Any]:
        token = ""
        while True:
            page = self._api.get(path, returns, page_size=_PAGE, page_token=token, **query)
            yield from getattr(page, items) or []
            token = page.next_page_token or ""
            if not token:
                return


def age(schedule: Any) -> tuple[Any, str]:
    """Returns the sort key of schedules: creation time, which the API has in seconds, then id."""
    return schedule.created_at, schedule.recurring_run_id


def _found_or_made(find: Callable[[], Found | None], make: Callable[[], Found]) -> Found:
    """Finds an object, or creates it, or finds the one that a concurrent caller has created.

    Raises:
        AlreadyExistsError: it exists already according to the API, but cannot be found.
    """
    found = find()
    if found is not None:
        return found
    try:
        return make()
    except AlreadyExistsError:
        found = find()
        if found is None:
            raise
        return found


def _pipeline_of(run: Any) -> str | None:
    reference = run.pipeline_version_reference
    return reference.pipeline_id if reference is not None else None


def _filter(key: str, value: str, operation: str = "EQUALS") -> str:
    """Returns a filter.proto as JSON, URL-encoded twice (list_request_util.go, parseAPIFilter)."""
    predicate = {"operation": operation, "key": key, "stringValue": value}
    return quote(json.dumps({"predicates": [predicate]}))
