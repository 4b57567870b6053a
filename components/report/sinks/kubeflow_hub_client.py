"""Client of the REST API v1alpha3 of Kubeflow's model registry (Kubeflow Hub).

Its behaviour was read in kubeflow/model-registry v0.3.8: `api/openapi/model-registry.yaml`, `internal/server/openapi`,
`internal/core`, `internal/db/service`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3

Json = dict[str, Any]

API = "/api/model_registry/v1alpha3"
_PAGE = 100
_CONFLICT = 409
_ADVICE = {401: "; is the token right?", 403: "; may the token's account do this?"}
_LONGEST_TEXT = 200


class HubError(Exception):
    """The server refused a request, or its answer is not that of a model registry."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class HubClient:
    """Finds, creates and updates entities by their names."""

    def __init__(self, server: str, token: str | None = None, ca_file: str | None = None, timeout: float = 60) -> None:
        self._server = server
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(total=timeout), cert_reqs="CERT_REQUIRED", ca_certs=ca_file
        )

    def find(self, collection: str, name: str, **query: str) -> Json | None:
        """Returns the entity of a collection with exactly this name.

        The server's search by name takes `_` for any character (SQL's LIKE), so the names are compared here too.
        """
        query = {**query, "filterQuery": f'name = "{name}"', "pageSize": str(_PAGE)}
        while True:
            page = self._request("GET", f"{collection}?{urlencode(query)}")
            for entity in page.get("items", ()):
                if entity.get("name") == name:
                    return dict(entity)
            if not page.get("nextPageToken"):
                return None
            query["nextPageToken"] = page["nextPageToken"]

    def find_or_create(self, collection: str, body: Json, **query: str) -> tuple[Json, bool]:
        """Returns the entity with the name in `body`, and whether it was created: one that is there stays as it is."""
        found = self.find(collection, body["name"], **query)
        if found is not None:
            return found, False
        try:
            return self._request("POST", collection, body), True
        except HubError as error:
            # Another run may have created it since.
            found = self.find(collection, body["name"], **query) if error.status == _CONFLICT else None
            if found is None:
                raise
            return found, False

    def update(self, entity: str, body: Json) -> None:
        """Changes fields of an entity; `customProperties` replace all that it has."""
        self._request("PATCH", entity, body)

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """Sends a request once; it is not redirected, so that the token goes nowhere else."""
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        url = f"{self._server}{API}{path}"
        response = self._pool.request(method, url, body=data, headers=self._headers, retries=False)
        asked = f"{method} {path.partition('?')[0]}"
        if response.status >= 300:
            told = f"{asked} was answered {response.status}: {_message(response.data)}"
            raise HubError(told + _ADVICE.get(response.status, ""), response.status)
        try:
            answer = json.loads(response.data)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise HubError(f"{asked} was not answered in JSON; is `server` the address of a model registry?")
        return answer


def _message(data: bytes) -> str:
    """Returns the message of an error, or else its text."""
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return " ".join(data.decode(errors="replace").split())[:_LONGEST_TEXT] or "no text"
