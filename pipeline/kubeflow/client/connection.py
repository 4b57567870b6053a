"""Connection settings and error translation for the API of Kubeflow Pipelines.

Requests go by path through `kfp_server_api.ApiClient.call_api`, since the generated methods are called differently in
the releases that fit the two sets of pins; paths and models are the same.  `kfp.Client` is not used: it takes a second
to import, prints, writes into the home directory, and waits 25 seconds for a host that does not answer.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import kfp_server_api
import urllib3

from common.errors import UserError

TOKEN = "KFP_TOKEN"  # noqa: S105  # Name of the variable.
TOKEN_PATH = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105  # As in kfp.client.
DASHBOARD = "KF_PIPELINES_UI_ENDPOINT"
_IN_CLUSTER_TOKEN = "/var/run/secrets/kubeflow/pipelines/token"  # noqa: S105  # As in kfp.client; a projected volume.

_SECONDS = (10, 60)  # To connect; to read.
_NOT_FOUND, _ALREADY_EXISTS = 5, 6  # google.rpc.Code
_LONGEST_MESSAGE = 400
_CONNECTION = re.compile(r"(<[\w.]+ object at 0x[0-9a-f]+>|\w+Connection\(host='[^']*', port=\d+\)): ")
"""How urllib3 begins an error, 1.26 and 2.8 (`HTTPConnection.__str__`)."""


class ApiError(UserError):
    """The API refused a request."""


class NotFoundError(ApiError):
    """The requested object does not exist."""


class AlreadyExistsError(ApiError):
    """An object of this name exists already."""


class UnreachableError(ApiError):
    """The API or a proxy did not respond; a retry may succeed."""


class Connection(NamedTuple):
    """Address and credentials of the API."""

    host: str
    dashboard: str
    token: str | None
    token_file: Path | None
    certificate: Path | None

    def run_address(self, run_id: str) -> str:
        """Returns the address of a run's page in the dashboard."""
        return f"{self.dashboard}/#/runs/details/{run_id}"


def find_connection(
    host: str | None, certificate: Path | None = None, environment: Mapping[str, str] = os.environ
) -> Connection:
    """Returns the connection to `host`, with a token from the environment.

    The token is `KFP_TOKEN`, or the content of the file `KF_PIPELINES_SA_TOKEN_PATH`, or that of a pod's projected
    service account token (kfp's `ServiceAccountTokenVolumeCredentials`); files are read again for each request,
    because the kubelet renews them.

    Raises:
        UserError: the address is missing or incomplete, or a file does not exist.
    """
    if not host:
        raise UserError(
            "say where Kubeflow Pipelines is: --host URL or KFP_ENDPOINT, such as http://localhost:8080 after "
            "`kubectl port-forward -n kubeflow svc/ml-pipeline-ui 8080:80`"
        )
    if certificate is not None and not certificate.is_file():
        raise UserError(
            f"the certificate file {certificate} does not exist; name the authority's certificate in PEM with --ca"
        )
    address = _address(host)
    token = environment.get(TOKEN)
    return Connection(
        host=address,
        dashboard=_address(environment[DASHBOARD]) if environment.get(DASHBOARD) else address,
        token=token or None,
        token_file=None if token else _token_file(environment),
        certificate=certificate,
    )


def _address(host: str) -> str:
    """Returns the address without the dashboard's page."""
    address = host.partition("#")[0].rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UserError(f"{host!r} is not an address; write http:// or https:// before the host: http://localhost:8080")
    return address


def _token_file(environment: Mapping[str, str]) -> Path | None:
    named = environment.get(TOKEN_PATH)
    if named and not Path(named).is_file():
        raise UserError(f"{TOKEN_PATH} names {named}, which is not a file; name the file of a service account's token")
    path = Path(named or _IN_CLUSTER_TOKEN)
    return path if path.is_file() else None


class Api(kfp_server_api.ApiClient):
    """Client of the REST API v2beta1; it returns kfp_server_api's models or raises a `UserError`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        super().__init__(_configuration(connection))
        # A redirect leads to a login page; the pools' `retries` do not affect redirects.
        pools = self.rest_client.pool_manager
        pools.urlopen = functools.partial(pools.urlopen, redirect=False)

    def get(self, path: str, returns: str, **query: str | int) -> Any:
        """Returns the object at `path`, as the model called `returns`."""
        return self._send("GET", path, returns, query=query)

    def post(self, path: str, returns: str | None = None, body: Any = None) -> Any:
        """Posts a model."""
        return self._send("POST", path, returns, body=body)

    def delete(self, path: str, **query: str) -> None:
        """Deletes the object at `path`."""
        self._send("DELETE", path, None, query=query)

    def upload(self, path: str, file: Path, returns: str, **query: str) -> Any:
        """Posts a file as a multipart form."""
        return self._send("POST", path, returns, query=query, file=file)

    def _send(
        self,
        method: str,
        path: str,
        returns: str | None,
        query: Mapping[str, str | int] | None = None,
        body: Any = None,
        file: Path | None = None,
    ) -> Any:
        return self.call_api(
            path,
            method,
            query_params=[(key, value) for key, value in (query or {}).items() if value != ""],
            header_params={
                "Accept": "application/json",
                "Content-Type": "multipart/form-data" if file else "application/json",
            },
            body=body,
            files={"uploadfile": str(file)} if file else None,
            response_type=returns,
            auth_settings=["Bearer"],
            _return_http_data_only=True,
        )

    def request(self, method: str, url: str, **options: Any) -> Any:
        """Sends one HTTP request; overridden to translate errors.

        Raises:
            ApiError: the response is an error, or not JSON or plain text.
        """
        options["_request_timeout"] = _SECONDS
        host = self.connection.host
        try:
            response = super().request(method, url, **options)
        except kfp_server_api.ApiException as error:
            raise _refusal(host, error) from None
        except urllib3.exceptions.HTTPError as error:
            raise _silence(host, error) from None
        # The dashboard calls a pod in JSON text/html too: Express's `res.send` of a text (handlers/pod-info.ts).
        is_html = "text/html" in response.urllib3_response.headers.get("content-type", "")
        if is_html and not response.data.lstrip().startswith(b"{"):
            raise ApiError(_login_page(host))
        return response


def _configuration(connection: Connection) -> Any:
    configuration = kfp_server_api.Configuration(host=connection.host)
    configuration.ssl_ca_cert = str(connection.certificate) if connection.certificate else None
    configuration.retries = urllib3.Retry(0)  # A request that starts a run must not be sent twice.
    if connection.token or connection.token_file:
        configuration.api_key_prefix["authorization"] = "Bearer"
        configuration.api_key["authorization"] = connection.token
    if connection.token_file:
        configuration.refresh_api_key_hook = _rereads(connection.token_file)
    return configuration


def _rereads(token_file: Path) -> Any:
    def hook(configuration: Any) -> None:
        try:
            configuration.api_key["authorization"] = token_file.read_text().strip()
        except OSError as error:
            raise UserError(f"cannot read the token in {token_file}: {error.strerror}") from None

    return hook


def _silence(host: str, error: Exception) -> ApiError:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, urllib3.exceptions.SSLError):
        return ApiError(
            f"the certificate of {host} is not trusted ({_one_line(reason)}); name your authority's with --ca FILE"
        )
    return UnreachableError(
        f"Kubeflow Pipelines does not answer at {host} ({_one_line(reason)}); check --host or KFP_ENDPOINT, and "
        "whether a port-forward is still running"
    )


def _refusal(host: str, error: Any) -> ApiError:
    status, code, message = error.status, None, ""
    try:
        answer = json.loads(error.body or b"")
        code, message = answer.get("code"), _message(answer)
    except (ValueError, AttributeError):
        answer = None
    if status == 0:
        return _silence(host, urllib3.exceptions.SSLError(error.reason))
    if status == 401:
        return ApiError(
            f"{host} did not accept your credentials (401): put a token into {TOKEN}, or name its file in {TOKEN_PATH}"
        )
    if status == 403:
        return ApiError(
            f"{host} does not allow this (403): {message or error.reason}; ask for the right to it in the namespace of "
            "the runs, or use another token"
        )
    if 300 <= status < 400:
        return ApiError(_login_page(host, error.headers.get("location")))
    if status == 404 and answer is None:
        return ApiError(
            f"{host} has no Kubeflow Pipelines API v2beta1 (404); give the address that the dashboard has in "
            "the browser, up to #"
        )
    if status in {502, 503, 504}:
        return UnreachableError(f"Kubeflow Pipelines at {host} is not ready ({status}); try again in a minute")
    kind: type[ApiError] = ApiError
    if status == 404 or code == _NOT_FOUND:
        kind = NotFoundError
    elif status == 409 or code == _ALREADY_EXISTS:
        kind = AlreadyExistsError
    return kind(f"Kubeflow Pipelines refused ({status}): {message or error.reason}")


def _message(answer: dict[str, Any]) -> str:
    """Returns the API server's error: short in `details`, long in `message` (error.go, GRPCStatus)."""
    brief = [detail.get("message", "") for detail in answer.get("details") or []]
    said = [text for text in brief if text and text != "Internal Server Error"]
    return _one_line(said[0] if said else answer.get("message") or answer.get("error_message") or "")


def _one_line(text: object) -> str:
    """Removes line breaks, and urllib3's name of a connection."""
    line = " ".join(_CONNECTION.sub("", str(text)).split())
    return line if len(line) <= _LONGEST_MESSAGE else line[:_LONGEST_MESSAGE] + "…"


def _login_page(host: str, location: str | None = None) -> str:
    sends = f"sends to {location}" if location else "answers with a web page"
    return (
        f"{host} {sends} instead of the API: you are not logged in, or the address is wrong; put a token into "
        f"{TOKEN}, or bypass the login with `kubectl port-forward -n kubeflow svc/ml-pipeline-ui 8080:80`"
    )
