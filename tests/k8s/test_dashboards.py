"""What the Grafana dashboards ask for, asked of what server, synchronisation and monitor really export.

Prometheus' own evaluation is promtool's; Grafana's schema is that of its Foundation SDK.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.exported_metrics import monitor_page, server_page, synchronisation_page
from tests.support.manifests import K8S

DRIFT = K8S / "components/monitoring/segpipe-drift.json"
SERVING = K8S / "serving/components/monitoring/segpipe-serving.json"
DASHBOARDS = pytest.mark.parametrize("dashboard", [DRIFT, SERVING], ids=lambda path: path.stem)
VARIABLES = {"${model}": ".*", "$model": ".*", "$namespace": ".*", "$__rate_interval": "5m"}
PYTHON = os.environ.get("SEGPIPE_TEST_GRAFANA", "")
READ = Path(__file__).with_name("read_dashboard.py")
MINUTES = 20


# ---- what Prometheus has ---------------------------------------------------------------------------------------------


def series(page: str, **labels: str) -> Iterator[dict[str, str]]:
    """The page's samples as promtool's input, with the labels that Prometheus adds; counters go on counting."""
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            all_labels = ", ".join(f"{name}={json.dumps(value)}" for name, value in (sample.labels | labels).items())
            grows = family.type != "gauge"
            step = max(sample.value, 1.0) if grows else 0
            yield {"series": f"{sample.name}{{{all_labels}}}", "values": f"{sample.value}+{step}x{MINUTES}"}


def all_series(folder: Path) -> list[dict[str, str]]:
    """What Prometheus has of a cluster with stable, canary and monitor."""
    found = list(series(monitor_page(folder), job="segpipe-monitor"))
    for group in ("stable", "canary"):
        pod = {"job": "segpipe-serving", "namespace": "n", "group": group, "pod": f"{group}-0"}
        found += series(server_page(), **pod, endpoint="http")
        found += series(synchronisation_page(), **pod, endpoint="sync-metrics")
        up = ", ".join(f'{name}="{value}"' for name, value in {**pod, "endpoint": "http"}.items())
        found.append({"series": f"up{{{up}}}", "values": f"1x{MINUTES}"})
    return found


# ---- what is asked for -----------------------------------------------------------------------------------------------


def panels(dashboard: Path) -> list[dict[str, Any]]:
    return json.loads(dashboard.read_text())["panels"]


def queries(dashboard: Path) -> Iterator[str]:
    """The panels' queries as Grafana sends them when all models and namespaces are chosen."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            query = target["expr"]
            for variable, value in VARIABLES.items():
                query = query.replace(variable, value)
            assert "$" not in query
            yield query


def evaluations(dashboard: Path) -> list[Mapping[str, Any]]:
    """A test for promtool of each query: that it gives anything at all."""
    found = [{"labels": "{}", "value": 1}]
    return [
        {"expr": f"(count({query}) > bool 0)", "eval_time": f"{MINUTES // 2}m", "exp_samples": found}
        for query in queries(dashboard)
    ]


@DASHBOARDS
def test_every_query_gives_data_of_what_is_exported(dashboard: Path, tmp_path: Path) -> None:
    promtool = os.environ.get("SEGPIPE_TEST_PROMTOOL") or shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed; SEGPIPE_TEST_PROMTOOL names one")
    test = {
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": all_series(tmp_path), "promql_expr_test": evaluations(dashboard)}],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    done = subprocess.run(
        [promtool, "test", "rules", "test.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not PYTHON, reason="SEGPIPE_TEST_GRAFANA does not name a Python that has grafana-foundation-sdk")
@DASHBOARDS
def test_grafanas_schema_knows_every_key(dashboard: Path) -> None:
    done = subprocess.run([PYTHON, str(READ), str(dashboard)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
