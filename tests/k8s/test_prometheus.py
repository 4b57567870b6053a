"""Alerts and dashboards in a real Prometheus, which scrapes a server and the Pushgateway that the monitor pushes to."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.k8s.test_dashboards import DRIFT, SERVING, queries
from tests.support.exported_metrics import monitor_metrics
from tests.support.manifests import K8S
from tests.support.mask_model import mask_registry
from tests.support.serving import Hosted, picture, wait_until

FOLDER = os.environ.get("SEGPIPE_TEST_PROMETHEUS", "")
"""Folder of the programs, if they are not on the PATH."""
RULES = (K8S / "components/monitoring/rules.yaml", K8S / "serving/components/monitoring/rules.yaml")
PROMETHEUS, PUSHGATEWAY = (shutil.which(name, path=FOLDER or None) for name in ("prometheus", "prometheus-pushgateway"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (PROMETHEUS and PUSHGATEWAY),
        reason="prometheus and prometheus-pushgateway are not installed; SEGPIPE_TEST_PROMETHEUS names their folder",
    ),
]


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class Prometheus:
    """A Prometheus that is asked over its API."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        address = f"{self._url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.load(answer)["data"]["result"]

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def configuration(folder: Path, server: str, pushgateway: str) -> Path:
    """Scrapes as docs/monitoring.md and the ServiceMonitor say."""
    for number, rules in enumerate(RULES):
        (folder / f"rules-{number}.yaml").write_text(yaml.safe_dump(yaml.safe_load(rules.read_text())["spec"]))
    labels = {"endpoint": "http", "group": "stable", "namespace": "n", "pod": "p"}
    jobs = [
        {
            "job_name": "segpipe-serving",
            "metrics_path": "/monitoring/prometheus/metrics",
            "static_configs": [{"targets": [server], "labels": labels}],
        },
        {"job_name": "pushgateway", "honor_labels": True, "static_configs": [{"targets": [pushgateway]}]},
    ]
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules-*.yaml"],
        "scrape_configs": jobs,
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    return folder / "prometheus.yaml"


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    """After a request to the server, and a push of the monitor that has found drift."""
    gateway, own = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        server = stack.enter_context(Hosted(mask_registry(tmp_path / "registry")))
        server.predict(picture())
        file = configuration(tmp_path, server.http.removeprefix("http://"), gateway)
        storage = f"--storage.tsdb.path={tmp_path / 'data'}"
        for command in (
            [PUSHGATEWAY, f"--web.listen-address={gateway}"],
            [PROMETHEUS, f"--config.file={file}", f"--web.listen-address={own}", storage],
        ):
            log = stack.enter_context((tmp_path / f"{Path(str(command[0])).name}.log").open("w"))
            process = stack.enter_context(subprocess.Popen(command, stdout=log, stderr=log))  # type: ignore[arg-type]
            stack.callback(process.kill)
        wait_until(Prometheus(f"http://{gateway}").is_ready)
        wait_until(Prometheus(f"http://{own}").is_ready)
        monitor_metrics().push(f"http://{gateway}", "m")
        yield Prometheus(f"http://{own}")


def test_drift_alerts_and_every_query_of_its_dashboard_gives_data(prometheus: Prometheus) -> None:
    wait_until(lambda: prometheus.ask('ALERTS{alertname="SegpipeDrift", alertstate="firing"}') != [], 30)
    (alert,) = prometheus.ask('ALERTS{alertstate="firing"}')
    assert (alert["metric"]["model"], alert["metric"]["version"]) == ("m", "1")
    wait_until(lambda: all(prometheus.ask(query) for query in queries(DRIFT)), 30)


def test_the_dashboard_of_serving_shows_the_requests(prometheus: Prometheus) -> None:
    shown = {query for query in queries(SERVING) if "request_count" in query and "canary" not in query}
    wait_until(lambda: all(prometheus.ask(query) for query in shown if "status!~" not in query), 30)
    assert prometheus.ask('up{job="segpipe-serving", group="stable"}')[0]["value"][1] == "1"
