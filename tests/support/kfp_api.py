"""A server that answers as the API server of Kubeflow Pipelines 2.17 does, over HTTP and with state.

Written from `backend/api/v2beta1/*.proto` and `backend/src/apiserver` of kubeflow/pipelines; each rule names the
function that it mirrors.  Bodies, queries and answers are checked against the models that `kfp_server_api` generates
from KFP's swagger files: an unknown field, a wrong type or an unknown enumerator is refused as `protojson` does.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import email
import email.policy
import http.server
import itertools
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

import kfp_server_api
import yaml

Json = dict[str, Any]

NOT_YET = "1970-01-01T00:00:00Z"
BEGAN, ENDED = "2026-08-21T10:00:00Z", "2026-08-21T10:01:04Z"
"""When a node began, and when it ended."""

_AT_WORK = {"RUNNING", "PENDING"}
_CODES = {3: 400, 5: 404, 6: 409, 7: 403, 13: 500, 16: 401}  # google.rpc.Code → HTTP, as grpc-gateway does.
_LISTING = {"page_size", "page_token", "sort_by", "filter", "namespace"}
_ENDED = {"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"}
_VALUE_KINDS: dict[str, type | tuple[type, ...]] = {
    "STRING": str,
    "NUMBER_INTEGER": (int, float),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": bool,
}


class Refusal(Exception):
    """What the API server answers instead."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Hangup(Exception):
    """The connection is closed without an answer."""


class Html(NamedTuple):
    """A text that the dashboard's server sends: Express calls it text/html, whatever it is."""

    status: int
    text: str


class Request(NamedTuple):
    """What arrived."""

    method: str
    path: str
    query: dict[str, str]
    body: Any

    @property
    def changes(self) -> bool:
        return self.method != "GET"


class KfpApi:
    """The state of the server; tests look into it and change what it does."""

    def __init__(self) -> None:
        self.url = ""
        self.token: str | None = None
        self.answer: tuple[int, dict[str, str], str] | None = None
        """Answered to everything: status, headers, text."""
        self.changes_left: float = float("inf")
        """After so many changing requests the server hangs up on everybody, as if the caller had been killed."""
        self.largest_page = 200
        self.requests: list[Request] = []
        self.pipelines: dict[str, Json] = {}
        self.versions: dict[str, Json] = {}
        self.experiments: dict[str, Json] = {}
        self.runs: dict[str, Json] = {}
        self.given: dict[str, Json] = {}
        """The parameters of runs as their workflows get them; the API shows them as they were sent."""
        self.schedules: dict[str, Json] = {}
        self.orphaned: set[str] = set()
        self.deleted: set[str] = set()
        """Runs whose workflow was left alone, or went, when their schedule was deleted.

        What becomes of the latter nobody reports: their state stays as it was.
        """
        self.most_enabled = 0
        """The most schedules of one name that were enabled at a time."""
        self.scripts: dict[str, Iterator[Json]] = {}
        self.script: Callable[[list[str]], Iterator[Json]] = lambda tasks: iter(())
        """How runs go: what each further look at one shows."""
        self.logs: dict[str, str] = {}
        self.workflows: dict[str, Json] = {}
        """What the persistence agent has reported of runs; an empty one is a run that nobody has taken up."""
        self.tells_workflows = True
        """Whether there is an API v1beta1."""
        self.has_metadata = True
        """Whether the backend is one with ML Metadata: without it, a run has no task details."""
        self.pods: dict[str, Json] = {}
        self.events: dict[str, list[Json]] = {}
        self.faults: list[Exception] = []
        """What went wrong in here; raised when the server is stopped."""
        self.before: Callable[[Request], None] = lambda request: None
        self._clock = itertools.count()
        self._lock = threading.RLock()

    def count(self, method: str, path: str) -> int:
        """The requests whose path matches."""
        return sum(request.method == method and bool(re.fullmatch(path, request.path)) for request in self.requests)

    def enabled(self) -> list[Json]:
        """The schedules that start runs."""
        return [schedule for schedule in self.schedules.values() if schedule["mode"] == "ENABLE"]

    def tick(self) -> list[Json]:
        """The scheduled time comes: each enabled schedule that has not as many runs at work as it may starts one.

        crd/controller/scheduledworkflow/util/scheduled_workflow.go, GetNextScheduledEpoch and NextResourceName, and
        controller.go, submitNewWorkflowIfNotAlreadySubmitted, which creates it by CreateRun and does not say what time
        it was scheduled for.
        """
        return [self._scheduled_run(schedule) for schedule in self.enabled() if self._may_start(schedule)]

    def _may_start(self, schedule: Json) -> bool:
        runs = [run for run in self.runs.values() if run.get("recurring_run_id") == schedule["recurring_run_id"]]
        return sum(run["state"] not in _ENDED for run in runs) < int(schedule["max_concurrency"])

    def _scheduled_run(self, schedule: Json) -> Json:
        index = 1 + sum(run.get("recurring_run_id") == schedule["recurring_run_id"] for run in self.runs.values())
        name = f"{schedule['display_name']}-{index}"
        taken = ("experiment_id", "pipeline_version_reference", "service_account", "recurring_run_id", "runtime_config")
        wanted = {key: schedule[key] for key in taken}
        return self._new_run({**wanted, "display_name": f"{name}-{_fnv(name)}"})

    def handle(self, request: Request, headers: Any) -> tuple[int, dict[str, str], str]:
        """The answer to a request: status, headers, text."""
        self.requests.append(request)
        self.before(request)
        with self._lock:
            if self.answer is not None:
                return self.answer
            if self.changes_left <= 0:
                raise Hangup
            self.changes_left -= request.changes
            try:
                if self.token and headers.get("authorization") != f"Bearer {self.token}":
                    raise Refusal(16, "Request header error: there is no user identity header.")
                status, answer = 200, self._route(request)
            except Refusal as refusal:
                return _error(request, refusal)
            self._watch_schedules()
            if isinstance(answer, Html):
                return answer.status, {"content-type": "text/html; charset=utf-8"}, answer.text
            if isinstance(answer, str):
                return status, {"content-type": "text/plain; charset=utf-8"}, answer
            return status, {"content-type": "application/json"}, json.dumps(answer)

    def _watch_schedules(self) -> None:
        names = [schedule["display_name"] for schedule in self.enabled()]
        self.most_enabled = max([self.most_enabled, *(names.count(name) for name in names)])

    def _route(self, request: Request) -> Json | str | Html:
        for method, pattern, handler, queries in self._routes():
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                unknown = set(request.query) - queries
                assert not unknown, f"{request.path} has no query {unknown}"
                return handler(request, *map(unquote, match.groups()))
        raise Refusal(5, "Not Found")

    def _routes(self) -> list[tuple[str, str, Callable[..., Any], set[str]]]:
        v2 = "/apis/v2beta1"
        one = "([^/:]+)"
        return [
            ("GET", f"{v2}/healthz", lambda request: {"multi_user": False}, set()),
            ("GET", f"{v2}/pipelines/names/{one}", self._pipeline_by_name, {"namespace"}),
            ("POST", f"{v2}/pipelines", self._create_pipeline, set()),
            ("POST", f"{v2}/pipelines/upload_version", self._upload_version, {"name", "pipelineid", "description"}),
            ("GET", f"{v2}/pipelines/{one}/versions", self._list_versions, _LISTING - {"namespace"}),
            ("GET", f"{v2}/experiments", self._list_experiments, _LISTING),
            ("POST", f"{v2}/experiments", self._create_experiment, set()),
            ("GET", f"{v2}/runs", self._list_runs, _LISTING | {"experiment_id"}),
            ("POST", f"{v2}/runs", self._create_run, set()),
            ("GET", f"{v2}/runs/{one}", self._get_run, {"experiment_id"}),
            ("POST", f"{v2}/runs/{one}:terminate", self._terminate, set()),
            ("GET", f"{v2}/recurringruns", self._list_schedules, _LISTING | {"experiment_id"}),
            ("POST", f"{v2}/recurringruns", self._create_schedule, set()),
            ("POST", f"{v2}/recurringruns/{one}:(enable|disable)", self._switch_schedule, set()),
            ("DELETE", f"{v2}/recurringruns/{one}", self._delete_schedule, {"propagation_policy"}),
            ("GET", f"/apis/v1alpha1/runs/{one}/nodes/{one}/log", self._log, set()),
            ("GET", f"/apis/v1beta1/runs/{one}", self._get_run_v1, set()),
            ("GET", "/k8s/pod", self._pod, {"podname", "podnamespace"}),
            ("GET", "/k8s/pod/events", self._pod_events, {"podname", "podnamespace"}),
        ]

    def _pipeline_by_name(self, request: Request, name: str) -> Json:
        found = [pipeline for pipeline in self.pipelines.values() if pipeline["name"] == name]
        if not found:
            raise Refusal(5, f"Pipeline {name} not found")
        return checked("V2beta1Pipeline", found[0])

    def _create_pipeline(self, request: Request) -> Json:
        wanted = checked("V2beta1Pipeline", request.body, Refusal)
        name = wanted.get("name") or wanted.get("display_name")
        if not name:
            raise Refusal(3, "name is required")  # pipeline_server.go, createPipeline
        if any(pipeline["name"] == name for pipeline in self.pipelines.values()):
            raise Refusal(6, f"Failed to create a new pipeline. The name {name} already exists")
        pipeline = {"pipeline_id": _id(), "display_name": name, "name": name, "created_at": self._now()}
        self.pipelines[pipeline["pipeline_id"]] = pipeline
        return checked("V2beta1Pipeline", pipeline)

    def _upload_version(self, request: Request) -> Json:
        """pipeline_upload_server.go, uploadPipelineVersion; template/v2_template.go, NewV2SpecTemplate."""
        file_name, text = request.body
        pipeline_id, name = request.query.get("pipelineid", ""), request.query.get("name") or file_name
        if not file_name.endswith((".yaml", ".yml")) or pipeline_id not in self.pipelines:
            raise Refusal(3, "Failed to create a pipeline version")
        spec, *platforms = yaml.safe_load_all(text)
        if spec.get("schemaVersion") != "2.1.0":
            raise Refusal(3, "Failed to create a pipeline version due to template creation error")
        if any(version["display_name"] == name for version in self._versions_of(pipeline_id)):
            raise Refusal(6, "Failed to create a pipeline version")
        version: Json = {
            "pipeline_id": pipeline_id,
            "pipeline_version_id": _id(),
            "display_name": name,
            "name": name,
            "created_at": self._now(),
            "pipeline_spec": {"pipeline_spec": spec, "platform_spec": platforms[0]} if platforms else spec,
        }
        self.versions[version["pipeline_version_id"]] = version
        return checked("V2beta1PipelineVersion", version)

    def _versions_of(self, pipeline_id: str) -> list[Json]:
        return [version for version in self.versions.values() if version["pipeline_id"] == pipeline_id]

    def _list_versions(self, request: Request, pipeline_id: str) -> Json:
        page = self._page(request, self._versions_of(pipeline_id), "pipeline_versions")
        return checked("V2beta1ListPipelineVersionsResponse", page)

    def _list_experiments(self, request: Request) -> Json:
        page = self._page(request, list(self.experiments.values()), "experiments")
        return checked("V2beta1ListExperimentsResponse", page)

    def _create_experiment(self, request: Request) -> Json:
        wanted = checked("V2beta1Experiment", request.body, Refusal)
        name = wanted.get("display_name")
        if not name:
            raise Refusal(13, "Experiment must have a non-empty name")  # api_converter.go, toModelExperiment
        if any(experiment["display_name"] == name for experiment in self.experiments.values()):
            raise Refusal(6, f"Failed to create a new experiment. The name {name} already exists.")
        experiment = {
            "experiment_id": _id(),
            "display_name": name,
            "created_at": self._now(),
            "storage_state": "AVAILABLE",
        }
        self.experiments[experiment["experiment_id"]] = experiment
        return checked("V2beta1Experiment", experiment)

    def _list_runs(self, request: Request) -> Json:
        wanted = request.query.get("experiment_id")
        if wanted and wanted not in self.experiments:
            raise Refusal(5, f"Experiment {wanted} not found")
        runs = [run for run in self.runs.values() if wanted in {None, run["experiment_id"]}]
        return checked("V2beta1ListRunsResponse", self._page(request, runs, "runs"))

    def _create_run(self, request: Request) -> Json:
        wanted = checked("V2beta1Run", request.body, Refusal)
        self._check_work(wanted)
        return checked("V2beta1Run", self._new_run(wanted))

    def _check_work(self, wanted: Json) -> None:
        """resource_manager.go, fetchPipelineVersionFromPipelineSpec; v2_template.go, validatePipelineJobInputs."""
        if not wanted.get("display_name"):
            raise Refusal(3, "The run name is empty. Please specify a valid name")
        if wanted.get("namespace"):
            raise Refusal(3, "Experiment belongs to namespace '' instead of the given one")
        if wanted.get("experiment_id") not in self.experiments:
            raise Refusal(5, f"Experiment {wanted.get('experiment_id')} not found")
        reference = wanted.get("pipeline_version_reference") or {}
        version = self.versions.get(reference.get("pipeline_version_id", ""))
        if version is None:
            raise Refusal(5, "Failed to fetch a pipeline version and its manifest")
        if version["pipeline_id"] != reference.get("pipeline_id"):
            raise Refusal(3, f"Pipeline version {version['pipeline_version_id']} belongs to another pipeline")
        spec = version["pipeline_spec"]
        known = spec.get("pipeline_spec", spec)["root"].get("inputDefinitions", {}).get("parameters", {})
        for name, value in wanted.get("runtime_config", {}).get("parameters", {}).items():
            if name not in known:
                raise Refusal(3, f"parameter(s) provided are not required by pipeline: {name}")
            if not isinstance(value, _VALUE_KINDS[known[name]["parameterType"]]):
                raise Refusal(3, f"input parameter {name} requires type {known[name]['parameterType']}")

    def _new_run(self, wanted: Json) -> Json:
        now = self._now()
        run = wanted | {
            "run_id": _id(),
            "storage_state": "AVAILABLE",
            "created_at": now,
            "scheduled_at": now,
            "finished_at": NOT_YET,
            "state": "PENDING",
        }
        self.runs[run["run_id"]] = run
        given = (wanted.get("runtime_config") or {}).get("parameters", {})
        self.given[run["run_id"]] = {name: _formatted(value, run["run_id"], now) for name, value in given.items()}
        spec = self.versions[run["pipeline_version_reference"]["pipeline_version_id"]]["pipeline_spec"]
        self.scripts[run["run_id"]] = self.script(_tasks(spec.get("pipeline_spec", spec)))
        return run

    def _get_run(self, request: Request, run_id: str) -> Json:
        run = self._run(run_id)
        if run["state"] not in _ENDED:
            look = dict(next(self.scripts[run_id], {}))
            self.workflows[run_id] = look.pop("workflow", self.workflows.get(run_id, {}))
            if not self.has_metadata:
                look.pop("run_details", None)
            run.update(look)
            run["finished_at"] = self._now() if run["state"] in _ENDED else NOT_YET
        return checked("V2beta1Run", run)

    def _get_run_v1(self, request: Request, run_id: str) -> Json:
        """api_converter.go, toApiRunDetailV1: the workflow as it was reported last, nothing before that."""
        if not self.tells_workflows:
            raise Refusal(5, "Not Found")
        run, workflow = self._run(run_id), self.workflows.get(run_id)
        runtime = {"workflow_manifest": json.dumps(workflow)} if workflow else {}
        return {"run": {"id": run["run_id"], "name": run["display_name"]}, "pipeline_runtime": runtime}

    def _pod(self, request: Request) -> Html:
        """frontend/server/handlers/pod-info.ts, podInfoHandler."""
        name, namespace = request.query["podname"], request.query["podnamespace"]
        if name not in self.pods:
            return Html(500, f"Could not get pod {name} in namespace {namespace}")
        return Html(200, json.dumps(self.pods[name]))

    def _pod_events(self, request: Request) -> Html:
        """frontend/server/handlers/pod-info.ts, podEventsHandler."""
        return Html(200, json.dumps({"kind": "EventList", "items": self.events.get(request.query["podname"], [])}))

    def _run(self, run_id: str) -> Json:
        if run_id not in self.runs:
            raise Refusal(5, f"Run {run_id} not found")
        return self.runs[run_id]

    def _terminate(self, request: Request, run_id: str) -> Json:
        """run_store.go, TerminateRun."""
        run = self._run(run_id)
        if run["state"] in {*_ENDED, "CANCELING"}:
            raise Refusal(3, f"Failed to terminate a run {run_id}. Row not found")
        run["state"] = "CANCELING"
        return {}

    def _list_schedules(self, request: Request) -> Json:
        page = self._page(request, list(self.schedules.values()), "recurringRuns")
        return checked("V2beta1ListRecurringRunsResponse", page)

    def _create_schedule(self, request: Request) -> Json:
        """api_converter.go, toModelJob, toModelJobEnabled; robfig/cron 1.2, Parse: the sixth field may be left out."""
        wanted = checked("V2beta1RecurringRun", request.body, Refusal)
        if not 1 <= int(wanted.get("max_concurrency", 0)) <= 10:
            raise Refusal(3, "Max concurrency of a recurring run must be at least 1 and at most 10.")
        cron = wanted["trigger"]["cron_schedule"]["cron"]
        if len(cron.split()) not in {5, 6} and not cron.startswith("@"):
            raise Refusal(3, "Schedule cron is not a supported format(https://godoc.org/github.com/robfig/cron).")
        self._check_work(wanted)
        now = self._now()
        made = wanted | {"recurring_run_id": _id(), "created_at": now, "updated_at": now}
        self.schedules[made["recurring_run_id"]] = made
        return self._switched(made, "ENABLE" if wanted.get("mode") == "ENABLE" else "DISABLE")

    def _switched(self, schedule: Json, mode: str) -> Json:
        schedule.update(mode=mode, status={"ENABLE": "ENABLED", "DISABLE": "DISABLED"}[mode])
        return checked("V2beta1RecurringRun", schedule)

    def _switch_schedule(self, request: Request, schedule_id: str, verb: str) -> Json:
        self._switched(self._schedule(schedule_id), verb.upper())
        return {}

    def _schedule(self, schedule_id: str) -> Json:
        if schedule_id not in self.schedules:
            raise Refusal(5, f"Job {schedule_id} not found")
        return self.schedules[schedule_id]

    def _delete_schedule(self, request: Request, schedule_id: str) -> Json:
        """resource_manager.go, DeleteJob: workflows belong to the schedule, and go with it unless orphaned."""
        self._schedule(schedule_id)
        del self.schedules[schedule_id]
        runs = [run for run in self.runs.values() if run.get("recurring_run_id") == schedule_id]
        at_work = {run["run_id"] for run in runs if run["state"] not in _ENDED}
        is_orphan = request.query.get("propagation_policy") == "ORPHAN"
        (self.orphaned if is_orphan else self.deleted).update(at_work)
        return {}

    def _log(self, request: Request, run_id: str, pod: str) -> str:
        """run_log_server.go: the status is sent before it is known whether there is a log."""
        if pod in self.logs:
            return self.logs[pod]
        return json.dumps({"error_message": "Failed to read logs", "error_details": f"pods {pod!r} not found"})

    def _page(self, request: Request, items: list[Json], key: str) -> Json:
        """list_request_util.go, validatedListOptions; list/list.go."""
        query = request.query
        asked = {name: query.get(name, "") for name in ("filter", "sort_by")}
        start = 0
        if query.get("page_token"):
            token = json.loads(base64.b64decode(query["page_token"]))
            start = token.pop("start")
            if any(asked.values()) and token != asked:
                raise Refusal(3, "page token does not match the supplied sort by and/or filtering criteria.")
        size = min(int(query.get("page_size") or 20), self.largest_page)
        field, _, direction = asked["sort_by"].partition(" ")
        wanted = [item for item in items if _matches(item, asked["filter"])]
        wanted.sort(key=lambda item: str(item[field or "created_at"]), reverse=direction == "desc")
        page: Json = {"total_size": len(wanted)}
        if wanted[start : start + size]:  # protojson leaves out what is empty.
            page[key] = wanted[start : start + size]
        if len(wanted) > start + size:
            token = json.dumps({"start": start + size, **asked})
            page["next_page_token"] = base64.b64encode(token.encode()).decode()
        return page

    def _now(self) -> str:
        """A second later each time, so that orders are certain."""
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=next(self._clock) - 1000)
        return now.strftime("%Y-%m-%dT%H:%M:%SZ")


class Nodes:
    """The nodes of an Argo workflow: as a run's details have them (workflow.go, NodeStatuses), and as they are."""

    def __init__(self, workflow: str = "sample-x7k2p") -> None:
        self._workflow = workflow
        self._nodes: dict[str, Json] = {}
        self.set("root", "RUNNING")

    def set(self, name: str, state: str | None, children: tuple[str, ...] = (), message: str = "") -> None:
        """A node called `name`; a driver is `x-driver`, an executor `x/executor(n)`; `message` is Argo's."""
        self._nodes[name] = {"state": state, "children": children, "message": message}

    def pod(self, name: str) -> str:
        """The pod of a node: workflow.go, RetrievePodName."""
        return f"{self._workflow}-{_template(name)}-{_hash(name)}"

    def run(self, state: str) -> Json:
        """The fields of a run with these nodes, and the workflow that was reported."""
        details = [self._detail(name, node) for name, node in self._nodes.items()]
        return {"state": state, "run_details": {"task_details": details}, "workflow": self.workflow()}

    def workflow(self, message: str = "", **specification: Any) -> Json:
        """The workflow as the persistence agent reports it (workflow.go, ToStringForStore)."""
        nodes = {f"{self._workflow}-{_hash(name)}": self._status(name, node) for name, node in self._nodes.items()}
        metadata = {"name": self._workflow, "namespace": "kubeflow", "annotations": {}}
        status = {"phase": "Running", "message": message, "nodes": nodes}
        return {"metadata": metadata, "spec": specification, "status": status}

    def _detail(self, name: str, node: Json) -> Json:
        detail: Json = {
            "run_id": "ignored",
            "task_id": f"id-of-{_hash(name)}",
            "display_name": _shown(name),
            "create_time": BEGAN,
            "start_time": BEGAN,
            "end_time": NOT_YET if node["state"] in _AT_WORK else ENDED,
        }
        if (
            node["state"] is not None
        ):  # Argo's "Omitted" has no counterpart, and protojson leaves out what is unspecified.
            detail["state"] = node["state"]
        if node["children"]:
            detail["child_tasks"] = [{"pod_name": f"{self._workflow}-{_hash(child)}"} for child in node["children"]]
        return detail

    def _status(self, name: str, node: Json) -> Json:
        """A NodeStatus of pkg/apis/workflow/v1alpha1/workflow_types.go of Argo Workflows."""
        return {
            "id": f"{self._workflow}-{_hash(name)}",
            "name": f"{self._workflow}.{name}",
            "displayName": _shown(name),
            "templateName": _template(name),
            "phase": "Omitted" if node["state"] is None else node["state"].title(),
            "startedAt": BEGAN,
            "finishedAt": None if node["state"] in _AT_WORK else ENDED,
            "children": [f"{self._workflow}-{_hash(child)}" for child in node["children"]],
            "message": node["message"],
        }


def _shown(name: str) -> str:
    return name.rpartition("/")[2]


def _template(name: str) -> str:
    return "system-container-impl" if _shown(name).startswith("executor") else "system-container-driver"


def going_well(tasks: list[str]) -> Iterator[Json]:
    """A run whose tasks end well one after the other."""
    nodes = Nodes()
    for task in tasks:
        yield from _work(nodes, task, "SUCCEEDED")
    yield nodes.run("SUCCEEDED")


def failing_at(failing: str) -> Callable[[list[str]], Iterator[Json]]:
    """A run that fails at one of its tasks; those after it are omitted."""

    def script(tasks: list[str]) -> Iterator[Json]:
        nodes = Nodes()
        for task in tasks[: tasks.index(failing)]:
            yield from _work(nodes, task, "SUCCEEDED")
        yield from _work(nodes, failing, "FAILED")
        for task in tasks[tasks.index(failing) + 1 :]:
            nodes.set(f"{task}-driver", None)
            nodes.set(task, None)
        yield nodes.run("FAILED")

    return script


def briefly(script: Callable[[list[str]], Iterator[Json]]) -> Callable[[list[str]], Iterator[Json]]:
    """The first and the last look alone, for tests that watch in real time."""

    def brief(tasks: list[str]) -> Iterator[Json]:
        looks = list(script(tasks))
        yield looks[0]
        yield looks[-1]

    return brief


def pod_of(task: str) -> str:
    """The pod of a task in these runs."""
    nodes = Nodes()
    nodes.set(f"{task}/executor", "RUNNING")
    return nodes.pod(f"{task}/executor")


def _work(nodes: Nodes, task: str, end: str) -> Iterator[Json]:
    executor = f"{task}/executor"
    nodes.set(f"{task}-driver", "RUNNING")
    yield nodes.run("RUNNING")
    nodes.set(f"{task}-driver", "SUCCEEDED", (task,))
    nodes.set(task, "RUNNING", (executor,))
    nodes.set(executor, "RUNNING")
    yield nodes.run("RUNNING")
    nodes.set(executor, end)
    nodes.set(task, end, (executor,))


@contextlib.contextmanager
def serving() -> Iterator[KfpApi]:
    """A server on a free port of this machine."""
    api = KfpApi()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    if api.faults:
        raise api.faults[0]


def _handler(api: KfpApi) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # Head and body in one packet; else the second waits 40 ms for the first to be acknowledged.

        def log_message(self, *args: object) -> None:
            return None

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            query = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
            body = _body(self.headers.get("content-type", ""), content)
            try:
                status, headers, text = api.handle(Request(self.command, parts.path, query, body), self.headers)
            except Exception as error:  # noqa: BLE001  # The test is told at the end.
                if not isinstance(error, Hangup):
                    api.faults.append(error)
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_DELETE = _answer

    return Handler


def _body(content_type: str, content: bytes) -> Any:
    if not content:
        return None
    if content_type.startswith("multipart/form-data"):
        head = f"content-type: {content_type}\r\n\r\n".encode()
        (part,) = email.message_from_bytes(head + content, policy=email.policy.HTTP).iter_parts()
        assert part.get_param("name", header="content-disposition") == "uploadfile"
        return part.get_filename(), part.get_content()
    assert content_type == "application/json"
    return json.loads(content)


def _error(request: Request, refusal: Refusal) -> tuple[int, dict[str, str], str]:
    status = _CODES[refusal.code]
    if request.path.endswith("upload_version"):  # pipeline_upload_server.go, writeErrorToResponse
        answer: Json = {"error_message": str(refusal), "error_details": "…"}
    else:  # error.go, GRPCStatus; grpc-gateway
        detail = {"@type": "type.googleapis.com/google.rpc.Status", "code": refusal.code, "message": str(refusal)}
        long = f"Failed to do what was asked: Invalid input error: {refusal}"
        answer = {"code": refusal.code, "message": long, "details": [detail]}
    return status, {"content-type": "application/json"}, json.dumps(answer)


def _matches(item: Json, encoded: str) -> bool:
    """list_request_util.go, parseAPIFilter: the value is URL-encoded within the query."""
    if not encoded:
        return True
    # transformJSONForBackwardCompatibility
    text = re.sub(r'"(int|long|string|timestamp)Value":', r'"\1_value":', unquote_plus(encoded))
    for predicate in checked("V2beta1Filter", json.loads(text), Refusal)["predicates"]:
        value, key = predicate["string_value"], predicate["key"]
        found = item.get(key) or ""
        if not {"EQUALS": found == value, "IS_SUBSTRING": value in found}[predicate["operation"]]:
            return False
    return True


def checked(model: str, value: Any, error: type[Exception] = AssertionError) -> Any:
    """`value`, which is an object of that model of KFP's swagger files.

    Raises:
        Refusal: it is none, as `protojson` with DiscardUnknown: false finds, in a request.
        AssertionError: it is none in an answer: this server is wrong.
    """
    problems = list(_problems(value, model, model))
    if problems:
        raise Refusal(3, f"proto: syntax error: {problems[0]}") if error is Refusal else error(problems)
    return value


def _problems(value: Any, kind: str, where: str) -> Iterator[str]:
    listed, mapped = re.fullmatch(r"list\[(.*)\]", kind), re.fullmatch(r"dict\(str, (.*)\)", kind)
    natives: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "bool": bool, "float": (int, float)}
    if listed:
        for index, item in enumerate(value):
            yield from _problems(item, listed[1], f"{where}[{index}]")
    elif mapped:
        for key, item in value.items():
            yield from _problems(item, mapped[1], f"{where}.{key}")
    elif kind in natives:
        if not isinstance(value, natives[kind]):
            yield f"{where} is {value!r}, no {kind}"
    elif kind == "datetime":
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", str(value)):
            yield f"{where} is {value!r}, no time"
    elif kind != "object":
        yield from _model_problems(value, getattr(kfp_server_api, kind), where)


def _model_problems(value: Any, model: Any, where: str) -> Iterator[str]:
    if not model.openapi_types:
        if value not in model.allowable_values:
            yield f"{where} is {value!r}, none of {model.allowable_values}"
        return
    if not isinstance(value, dict):
        yield f"{where} is {value!r}, no {model.__name__}"
        return
    attributes = {wire: attribute for attribute, wire in model.attribute_map.items()}
    for key, item in value.items():
        # The release that goes with the older set of pins does not know a pipeline's name apart from its shown name.
        if key not in attributes and key != "name":
            yield f"{where} has no field {key!r}"
        elif key in attributes:
            yield from _problems(item, model.openapi_types[attributes[key]], f"{where}.{key}")


def _tasks(spec: Json) -> list[str]:
    """The names of the tasks that are pods, each after those that it depends on."""

    def walk(component: Json) -> Iterator[str]:
        left = dict(component["dag"]["tasks"])
        while left:
            ready = next(name for name in left if not set(left[name].get("dependentTasks", [])) & set(left))
            inner = spec["components"][left.pop(ready)["componentRef"]["name"]]
            yield from walk(inner) if "dag" in inner else [ready]

    return list(walk(spec["root"]))


def _formatted(value: Any, run_id: str, now: str) -> Any:
    """v2_template.go, RunWorkflow, and common/util/parameter_formatter.go, Format: texts alone, for a run that was
    created without `scheduled_at`, as all of ours: then [[ScheduledTime]] and [[Index]] stay as they are, and so does
    what the driver's placeholders look like."""
    if not isinstance(value, str):
        return value
    return value.replace("[[RunUUID]]", run_id).replace("[[CurrentTime]]", re.sub(r"[-:TZ]", "", now))


def _fnv(text: str) -> int:
    """hash/fnv, New32a."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 % 2**32
    return value


def _id() -> str:
    return str(uuid.uuid4())


def _hash(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name).int % 10**10)
