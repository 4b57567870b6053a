"""Batch jobs over HTTP: `…/models/NAME:predictBatch` and `…/models/NAME/jobs/ID`; not in TensorFlow Serving."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import orjson
from aiohttp import hdrs, web

from segpipe_client.errors import shortened
from serving.dataplane import Dataplane
from serving.errors import ConflictError, NotFoundError, WrongMethodError
from serving.jobs import Job, Jobs, JobState
from serving.protocol.http_exchange import LARGE_BYTES, READ_METHODS, answered, json_response, off_loop_if, read_body
from serving.protocol.lookup import find_servable, find_signature
from serving.protocol.rest_json import parse_predict

_SUBMIT = r"/v1/models/{name:[^/:]+}{choice:(?:/(?:versions|labels)/[^/:]+)?}:predictBatch"
_JOB = r"/v1/models/{name:[^/:]+}/jobs/{job:[^/:]+}"


def add_jobs(app: web.Application, dataplane: Dataplane, jobs: Jobs) -> None:
    """Adds the routes; they come before the one of all addresses below `/v1`."""
    handler = JobsHandler(dataplane, jobs)
    app.router.add_route("*", _SUBMIT, handler.submit)
    app.router.add_route("*", _JOB, handler.job)
    app.router.add_route("*", f"{_JOB}/results", handler.results)


class JobsHandler:
    """Handlers of HTTP requests."""

    def __init__(self, dataplane: Dataplane, jobs: Jobs) -> None:
        self._dataplane = dataplane
        self._jobs = jobs

    async def submit(self, request: web.Request) -> web.Response:
        """Accepts a job."""
        return await answered(self._submit(request))

    async def job(self, request: web.Request) -> web.Response:
        """Returns a job's state, or deletes it."""
        return await answered(self._job(request))

    async def results(self, request: web.Request) -> web.Response:
        """Returns a job's results."""
        return await answered(self._results(request))

    async def _submit(self, request: web.Request) -> web.Response:
        _check_method(request, (hdrs.METH_POST,))
        name, version = request.match_info["name"], request.match_info["choice"].rpartition("/")[2]
        with self._dataplane.admitted("REST_BATCH") as call, find_servable(self._dataplane, name, version) as servable:
            self._jobs.check_room()
            body = await read_body(request, call.deadline)
            content_type = request.headers.get(hdrs.CONTENT_TYPE, "")
            find = partial(find_signature, servable)
            asked = await off_loop_if(len(body) > LARGE_BYTES, parse_predict, body, find, content_type)
            job = self._jobs.submit(servable, asked.signature, asked.inputs)
        response = json_response(orjson.dumps(_description(job)), 202)
        response.headers[hdrs.LOCATION] = f"/v1/models/{request.match_info['name']}/jobs/{job.id}"
        return response

    async def _job(self, request: web.Request) -> web.Response:
        _check_method(request, (*READ_METHODS, hdrs.METH_DELETE))
        job = self._find(request)
        if request.method != hdrs.METH_DELETE:
            return json_response(orjson.dumps(_description(job)))
        self._jobs.remove(job.id)
        return web.Response(status=204)

    async def _results(self, request: web.Request) -> web.Response:
        _check_method(request, READ_METHODS)
        job = self._find(request)
        if job.state is not JobState.DONE:
            raise ConflictError(f"the job has no results: it is {job.state.value}{job.error and f': {job.error}'}")
        return json_response(b"".join([b'{"predictions":[', b",".join(job.rows), b"]}"]))

    def _find(self, request: web.Request) -> Job:
        name = request.match_info["name"]
        if name != self._dataplane.versions.name:
            raise NotFoundError(f"unknown model: {shortened(name)}")
        return self._jobs.find(request.match_info["job"])


def _description(job: Job) -> dict[str, Any]:
    described: dict[str, Any] = {
        "job": job.id,
        "state": job.state.value,
        "model_version": str(job.servable.version),
        "images": len(job.images),
        "done": len(job.rows),
        "refused": job.refused,
        "age_seconds": round(time.time() - job.created, 1),
    }
    return described | ({"error": job.error} if job.error else {})


def _check_method(request: web.Request, allowed: tuple[str, ...]) -> None:
    if request.method not in allowed:
        method, path = shortened(request.method, 16), shortened(request.path)
        raise WrongMethodError(f"{path} takes {' and '.join(allowed)}, not {method}", ", ".join(allowed))
