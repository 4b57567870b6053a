"""Windows of a log, and what is done when several in a row have drifted."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from common.errors import UserError
from components.evaluator.reference import make_reference
from pipeline.monitor.message import compose
from pipeline.monitor.metrics import MonitorMetrics
from pipeline.monitor.monitor import Monitor
from pipeline.monitor.page import monitor_page
from pipeline.monitor.result import MonitorReport
from pipeline.monitor.settings import MonitorSettings, parse_window
from pipeline.monitor.sources import OtherLog, OwnLog
from pipeline.monitor.windows import CountedWindows, floor, newest_time_windows
from registry.store import Registry
from serving.request_log.folder import LogFolder
from serving.request_log.rows import LoggedImage, to_table

UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
MINUTE = datetime.timedelta(minutes=1)
CLASSES = ("ground", "<roof>")


def features(random: np.random.Generator, images: int, brightness: float = 0.5) -> list[dict[str, float]]:
    roof = random.beta(2, 5, images)
    columns = {
        "class_fraction/ground": 1 - roof,
        "class_fraction/<roof>": roof,
        "mean_confidence": random.beta(9, 1, images),
        "brightness": random.normal(brightness, 0.1, images),
        "contrast": random.normal(0.2, 0.02, images),
        "height": np.full(images, 480.0),
        "width": np.full(images, 640.0),
    }
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Version 1 with a reference is served; version 2 has none."""
    found = Registry(str(tmp_path / "registry"))
    for text in ("a", "b"):
        model = tmp_path / text
        model.mkdir()
        (model / "saved_model.pb").write_text(text)
        found.push(
            str(model),
            model_name="tiny",
            data_fingerprint="d",
            baseline_version=None,
            metrics={},
            config={},
            software={},
        )
    found.serve(1)
    reference = make_reference("test", 300, 0, CLASSES, features(np.random.default_rng(0), 300))
    found.write_reference(1, reference.model_dump_json())
    return found


Traffic = Callable[..., None]


@pytest.fixture
def traffic(tmp_path: Path) -> Traffic:
    """Writes a file of requests into the log `tmp_path/log`."""
    folder = LogFolder(str(tmp_path / "log"))
    random = np.random.default_rng(1)

    def write(begin: datetime.datetime, images: int, brightness: float = 0.5, version: int = 1) -> None:
        rows = []
        for index, values in enumerate(features(random, images, brightness)):
            fractions = {name: values.pop(f"class_fraction/{name}") for name in CLASSES}
            size = {name: int(values.pop(name)) for name in ("height", "width")}
            time = begin + index * datetime.timedelta(seconds=1)
            rows.append(
                LoggedImage(time=time, version=version, status="OK", class_fractions=fractions, **size, **values)  # type: ignore[arg-type]
            )
        out = io.BytesIO()
        pq.write_table(to_table(rows), out)
        last = rows[-1].time
        folder.write(f"requests/date={last:%Y-%m-%d}/{last:%H-%M-%S.%f}-x-{version}-1.parquet", out.getvalue())

    return write


def look(registry: Registry, tmp_path: Path, window: str = "10m", now: datetime.datetime = NOON) -> MonitorReport:
    return monitor(registry, tmp_path, window).look(now)


def monitor(registry: Registry, tmp_path: Path, window: str = "10m") -> Monitor:
    settings = MonitorSettings(delay_seconds=0)
    return Monitor(registry, str(tmp_path / "log"), "segpipe", parse_window(window), settings)


def test_windows_of_a_time_begin_at_its_multiples_and_are_complete(
    registry: Registry, traffic: Traffic, tmp_path: Path
) -> None:
    for minutes in (31, 21, 11, 1):
        traffic(NOON - minutes * MINUTE, 100)
    report = look(registry, tmp_path, now=NOON + 3 * MINUTE)
    assert [(window.end - NOON) / MINUTE for window in report.windows] == [-20, -10, 0]
    assert [(window.state, window.images) for window in report.windows] == [("no drift", 100)] * 3
    assert floor(NOON + 3 * MINUTE, 600) == NOON


def test_windows_of_a_number_are_the_newest_images_of_each_version(
    registry: Registry, traffic: Traffic, tmp_path: Path
) -> None:
    registry.start_canary(2, 10)
    traffic(NOON - 30 * MINUTE, 170)
    traffic(NOON - 10 * MINUTE, 60, version=2)
    report = look(registry, tmp_path, "60")
    assert [(window.version, window.images, window.state) for window in report.windows] == [
        (1, 60, "no drift"),
        (1, 60, "no drift"),
        (2, 60, "no reference"),
    ]
    assert "version 2 has no reference distribution" in report.windows[-1].detail


def test_windows_of_a_number_do_not_overlap_from_look_to_look(
    registry: Registry, traffic: Traffic, tmp_path: Path
) -> None:
    watched = monitor(registry, tmp_path, "60")

    def ends(minutes: int) -> list[float]:
        report = watched.look(NOON + minutes * MINUTE)
        return [(window.end - NOON).total_seconds() for window in report.windows]

    traffic(NOON, 70)
    assert ends(2) == [69], "counted from the newest row"
    traffic(NOON + 2 * MINUTE, 50)
    assert ends(4) == [69], "ten images are missing"
    traffic(NOON + 4 * MINUTE, 80)
    assert ends(6) == [69, 249, 309]
    traffic(NOON + 6 * MINUTE, 50)
    assert ends(8) == [249, 309, 409]


def test_drift_is_confirmed_by_windows_in_a_row_and_begins_once(
    registry: Registry, traffic: Traffic, tmp_path: Path
) -> None:
    watched = monitor(registry, tmp_path)
    found = []
    for step, brightness in enumerate((0.5, 0.8, 0.8, 0.8, 0.5)):
        traffic(NOON + (10 * step + 1) * MINUTE, 100, brightness)
        report = watched.look(NOON + 10 * (step + 1) * MINUTE)
        found.append((report.windows[-1].state, watched.confirmed(report), watched.just_confirmed(report)))
    assert found == [
        ("no drift", [], []),
        ("drift", [], []),
        ("drift", [1], [1]),
        ("drift", [1], []),
        ("no drift", [], []),
    ]


def test_the_report_is_shown_as_metrics_page_and_message(registry: Registry, traffic: Traffic, tmp_path: Path) -> None:
    for minutes in (19, 9):
        traffic(NOON - minutes * MINUTE, 100, 0.8)
    watched = monitor(registry, tmp_path)
    report = watched.look(NOON)
    metrics = MonitorMetrics()
    metrics.show(report)
    metrics.write(tmp_path / "metrics" / "segpipe.prom")
    text = (tmp_path / "metrics" / "segpipe.prom").read_text()
    assert 'segpipe_monitor_drift{model="tiny",version="1"} 1.0' in text
    assert 'segpipe_monitor_drifted_windows{model="tiny",version="1"} 2.0' in text
    assert 'segpipe_monitor_feature_distance{feature="brightness",model="tiny",version="1"} 0.' in text
    assert "segpipe_served_version_created_timestamp_seconds" in text
    page = monitor_page(report)
    assert "drifted: brightness" in page
    assert "&lt;roof&gt;" in page
    assert "<roof>" not in page
    message = compose(report, [1])
    assert message["text"].startswith("⚠ tiny: drift in service: version 1: drifted: brightness (median ")
    assert MonitorReport.model_validate_json(report.model_dump_json()) == report


def test_a_reference_that_is_too_small_for_most_shifts_is_noted(
    registry: Registry, traffic: Traffic, tmp_path: Path
) -> None:
    traffic(NOON - 9 * MINUTE, 60)
    assert look(registry, tmp_path).notes == ()
    reference = make_reference("test", 13, 0, CLASSES, features(np.random.default_rng(0), 13))
    registry.write_reference(1, reference.model_dump_json())
    (note,) = look(registry, tmp_path).notes
    assert note.startswith("only distances of 0.5")
    assert note.endswith("are significant: the reference of version 1 has 13 images, and the window 60")


def test_a_log_that_is_not_there_is_told(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no request log at .*/log: check --log, or start `segpipe serve"):
        look(registry, tmp_path)


def test_a_file_in_place_of_a_log_s_folder_is_told(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    with pytest.raises(UserError, match=r"/log is a file: name the folder that it is in with --log"):
        look(registry, tmp_path)


def test_a_damaged_reference_is_named(registry: Registry, traffic: Traffic, tmp_path: Path) -> None:
    traffic(NOON - 9 * MINUTE, 60)
    registry.write_reference(1, "{}")
    with pytest.raises(UserError, match=r"the reference distribution of version 1 in .* cannot be read: run the"):
        look(registry, tmp_path)


def test_rows_of_another_log_without_version_or_time() -> None:
    rows = [LoggedImage(status="OK", brightness=number / 10) for number in range(5)]
    log = OtherLog("x", rows, served=3, notes=("a note",))
    windows = CountedWindows(2, 2).look(log, [3], NOON)
    assert [[row.brightness for row in window.rows] for window in windows] == [[0.1, 0.2], [0.3, 0.4]]
    assert log.notes() == ("a note", "5 rows do not name a version: version 3, which is served, is assumed")
    with pytest.raises(UserError, match="has rows without a time: give --window a number of images"):
        newest_time_windows(log, 60, 2, NOON)


def test_the_own_log_has_nothing_to_note(tmp_path: Path) -> None:
    assert OwnLog(LogFolder(str(tmp_path))).notes() == ()
