"""The request log beside a server: what a row says, what is lost and counted, and that nobody waits for it."""

from __future__ import annotations

import datetime
import hashlib
import io
import resource
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from serving.metrics import Metrics
from serving.request_log.folder import LogFolder
from serving.request_log.kept_images import KeptImages
from serving.request_log.pending import Answered
from serving.request_log.reading import newest_rows, rows_between
from serving.request_log.rows import LoggedImage, from_table, to_table
from serving.request_log.writer import RequestLog
from serving.settings import RequestLogSettings

UTC = datetime.timezone.utc
BEGIN, END = datetime.datetime(2000, 1, 1, tzinfo=UTC), datetime.datetime(2100, 1, 1, tzinfo=UTC)
ANSWERED = Answered("tiny", 3, "serving_default", 0.25)


def png(height: int = 20, width: int = 30, grey: int = 51) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (grey, grey, grey)).save(out, "PNG")
    return out.getvalue()


def answer(*masks: bytes) -> dict[str, object]:
    return {
        "mask_bytes": np.array(masks, object),
        "class_fractions": np.tile(np.array([[0.75, 0.25]], np.float32), [len(masks), 1]),
        "class_names": np.array([[b"ground", "wäter".encode()]] * len(masks), object),
        "mean_confidence": np.full(len(masks), 0.9, np.float32),
    }


def metric(metrics: Metrics, name: str) -> float:
    lines = metrics.page().decode().splitlines()
    return float(next(line.rpartition(" ")[2] for line in lines if line.startswith(name + " ")))


Start = Callable[..., RequestLog]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def start(tmp_path: Path, metrics: Metrics) -> Iterator[Start]:
    """Starts logs in `tmp_path/log`, which end with the test."""
    started: list[RequestLog] = []

    def make(**settings: object) -> RequestLog:
        uri = settings.pop("uri", str(tmp_path / "log"))
        started.append(RequestLog(RequestLogSettings(uri=uri, **settings), metrics))  # type: ignore[arg-type]
        return started[-1]

    yield make
    for log in started:
        log.close(0)


def rows_in(place: Path | str) -> list[LoggedImage]:
    return rows_between(LogFolder(str(place)), BEGIN, END)


def test_a_row_says_how_an_image_was_answered(start: Start, tmp_path: Path, metrics: Metrics) -> None:
    log = start()
    encoded = png(grey=51)
    log.add(ANSWERED, [encoded], answer(png(40, 60)))
    assert log.close(5)
    (row,) = rows_in(tmp_path / "log")
    assert row.time is not None
    assert abs((datetime.datetime.now(UTC) - row.time).total_seconds()) < 60
    assert (row.model, row.version, row.status) == ("tiny", 3, "OK")
    assert (row.height, row.width, row.encoded_bytes) == (40, 60, len(encoded)), "the size is that of the mask: upright"
    assert row.class_fractions == pytest.approx({"ground": 0.75, "wäter": 0.25})
    assert row.mean_confidence == pytest.approx(0.9)
    assert row.seconds == pytest.approx(0.25)
    assert (row.brightness, row.contrast) == pytest.approx((0.2, 0.0), abs=1e-6)
    assert row.digest == hashlib.sha256(encoded).hexdigest()
    assert metric(metrics, "segpipe_request_log_rows_total") == 1


def test_a_refused_request_is_a_row_with_its_reason_and_is_not_decoded(start: Start, tmp_path: Path) -> None:
    log = start()
    log.add(ANSWERED, [b"text"], None, "INVALID_ARGUMENT", "picture refused: it is a text")
    log.add(ANSWERED, [png(), b"text"], answer(png(), b"") | {"errors": np.array([b"", b"it is a text"], object)})
    assert log.close(5)
    by_error = {row.error: row for row in rows_in_all_columns(tmp_path / "log")}
    assert set(by_error) == {"picture refused: it is a text", "it is a text", None}
    for reason in ("picture refused: it is a text", "it is a text"):
        row = by_error[reason]
        assert row.status == "INVALID_ARGUMENT"
        assert (row.class_fractions, row.mean_confidence, row.height, row.brightness) == (None, None, None, None)
    assert by_error[None].class_fractions


def test_files_are_written_by_rows_and_by_time_and_never_under_their_name_before(start: Start, tmp_path: Path) -> None:
    log = start(rows=2, seconds=0.3)
    for _ in range(3):
        log.add(ANSWERED, [png()], answer(png()))
    folder = LogFolder(str(tmp_path / "log"))
    wait_until(lambda: len(folder.files("requests")) == 2)
    assert [len(from_table_of(tmp_path / "log" / file.path)) for file in folder.files("requests")] == [2, 1]
    assert not [path for path in (tmp_path / "log").rglob("*") if ".staging" in path.name]
    assert log.close(1)


def from_table_of(path: Path) -> list[LoggedImage]:
    import pyarrow.parquet as pq

    return from_table(pq.read_table(path, partitioning=None))


def rows_in_all_columns(log: Path) -> list[LoggedImage]:
    """What a monitor does not read is in the files too: errors, signatures and kept images."""
    return [row for path in sorted((log / "requests").rglob("*.parquet")) for row in from_table_of(path)]


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in {seconds} s"
        time.sleep(0.02)


def test_a_sample_is_a_share_of_the_images(start: Start, tmp_path: Path) -> None:
    log = start(sample=0.3)
    log._random.seed(0)
    for _ in range(200):
        log.add(ANSWERED, [b"x"], None, "INTERNAL")
    assert log.close(5)
    assert 35 <= len(rows_in(tmp_path / "log")) <= 85


def test_an_answer_that_cannot_be_logged_is_counted_and_does_not_fail(start: Start, metrics: Metrics) -> None:
    log = start()
    log.add(ANSWERED, [png(), png()], answer(png()))  # One answer for two images.
    assert log.close(5)
    assert metric(metrics, 'segpipe_request_log_dropped_total{reason="unreadable"}') == 2


class Hanging(LogFolder):
    """Storage that does not answer until it is told to."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.go_on = threading.Event()
        self.asked = threading.Event()

    def write(self, path: str, data: bytes) -> None:
        self.asked.set()
        self.go_on.wait(30)
        super().write(path, data)


def test_a_storage_that_hangs_costs_rows_which_are_counted_and_no_time(
    start: Start, tmp_path: Path, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = Hanging(str(tmp_path / "log"))
    monkeypatch.setattr("serving.request_log.writer.LogFolder", lambda _: hanging)
    log = start(rows=1, queue=5)
    log.add(ANSWERED, [b"0"], None, "INTERNAL")
    assert hanging.asked.wait(5)
    began = time.monotonic()
    for number in range(50):
        log.add(ANSWERED, [b"%d" % number], None, "INTERNAL")
    assert time.monotonic() - began < 0.5
    assert metric(metrics, 'segpipe_request_log_dropped_total{reason="queue_full"}') == 45
    began = time.monotonic()
    assert not log.close(0.3), "what is left is lost, and the shutdown goes on"
    assert time.monotonic() - began < 2
    assert metric(metrics, 'segpipe_request_log_dropped_total{reason="storage"}') == 6
    hanging.go_on.set()


def test_the_queue_is_bounded_in_bytes_too(start: Start, tmp_path: Path, metrics: Metrics) -> None:
    log = start(queue_megabytes=1)
    log.add(ANSWERED, [bytes(700_000)] * 1 + [bytes(2_000_000)], None, "INTERNAL")
    assert metric(metrics, 'segpipe_request_log_dropped_total{reason="queue_full"}') == 1


class Failing(LogFolder):
    """Storage that fails until it is repaired."""

    broken = True

    def write(self, path: str, data: bytes) -> None:
        if self.broken:
            raise PermissionError("the bucket is closed")
        super().write(path, data)


def test_rows_that_could_not_be_written_are_written_later(
    start: Start, tmp_path: Path, metrics: Metrics, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing = Failing(str(tmp_path / "log"))
    monkeypatch.setattr("serving.request_log.writer.LogFolder", lambda _: failing)
    monkeypatch.setattr("serving.request_log.writer._FIRST_PAUSE", 0.05)
    log = start(rows=2)
    for _ in range(4):
        log.add(ANSWERED, [b"x"], None, "INTERNAL")
    wait_until(lambda: metric(metrics, "segpipe_request_log_errors_total") >= 2)
    failing.broken = False
    assert log.close(5)
    assert len(rows_in(tmp_path / "log")) == 4
    assert [record.message.split()[0] for record in caplog.records].count("request_log_unwritable") <= 1


ENOSPC = """
import resource, signal, sys
from serving.metrics import Metrics
from serving.request_log.pending import Answered
from serving.request_log.writer import RequestLog
from serving.settings import RequestLogSettings

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # The write fails with EFBIG, as with a full disk.
metrics = Metrics()
log = RequestLog(RequestLogSettings(uri=sys.argv[1], rows=50, seconds=0.1), metrics)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
for number in range(50):
    log.add(Answered("tiny", 1, "", 0.1), [b"%d" % number], None, "INTERNAL")
import time
time.sleep(1.5)
assert b"segpipe_request_log_errors_total 0.0" not in metrics.page()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert log.close(10)
print("written")
"""


def test_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(ENOSPC), str(tmp_path / "log")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "written\n", done.stderr
    assert len(rows_in(tmp_path / "log")) == 50
    assert not list((tmp_path / "log").rglob("*.staging*"))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 0


def test_a_bucket_has_whole_files_only(start: Start) -> None:
    log = start(uri="memory://request-log-of-a-test")
    log.add(ANSWERED, [png()], answer(png()))
    assert log.close(5)
    assert len(rows_in("memory://request-log-of-a-test")) == 1


def test_images_are_kept_by_a_second_opt_in(start: Start, tmp_path: Path) -> None:
    log = start(images=True)
    encoded = png()
    log.add(ANSWERED, [encoded, encoded], answer(png(), png()))
    assert log.close(5)
    rows = rows_in(tmp_path / "log")
    table = from_table_of(next((tmp_path / "log" / "requests").rglob("*.parquet")))
    assert len(rows) == 2
    assert table[0].image == table[1].image
    assert (tmp_path / "log" / str(table[0].image)).read_bytes() == encoded


def test_the_retention_removes_old_images_then_the_oldest_over_the_bytes(tmp_path: Path) -> None:
    folder = LogFolder(str(tmp_path))
    kept = KeptImages(folder, days=7, encoded_bytes=25)
    for day in range(1, 13):
        kept.keep(b"\x89PNG567890", f"{day:02d}", datetime.date(2026, 11, day))
    assert kept.enforce(datetime.date(2026, 11, 12)) == 10
    assert [file.path for file in folder.files("images")] == [
        "images/2026-11-11/11.png",
        "images/2026-11-12/12.png",
    ]


def test_a_folder_that_cannot_be_written_is_told_at_once(tmp_path: Path, metrics: Metrics) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write the request log .*file/log: .*; name another folder"):
        RequestLog(RequestLogSettings(uri=str(tmp_path / "file" / "log")), metrics)
    with pytest.raises(UserError, match="cannot be opened"):
        RequestLog(RequestLogSettings(uri="nonsense://x"), metrics)


# ---- reading ---------------------------------------------------------------------------------------------------------


def write_file(folder: LogFolder, server: str, *rows: LoggedImage) -> None:
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(to_table(rows), out)
    assert rows[-1].time is not None
    name = f"date={rows[-1].time:%Y-%m-%d}/{rows[-1].time:%H-%M-%S.%f}-{server}-1-1.parquet"
    folder.write(f"requests/{name}", out.getvalue())


def at(minutes: float, version: int = 1) -> LoggedImage:
    time_ = datetime.datetime(2026, 11, 27, 23, 0, tzinfo=UTC) + datetime.timedelta(minutes=minutes)
    return LoggedImage(time=time_, version=version, status="OK")


def test_rows_of_a_period_come_from_files_of_several_servers_and_days(tmp_path: Path) -> None:
    folder = LogFolder(str(tmp_path))
    write_file(folder, "one", at(10), at(50))
    write_file(folder, "two", at(30), at(70))  # Its last row is of the next day.
    write_file(folder, "one", at(80))
    found = rows_between(folder, at(30).time, at(80).time)  # type: ignore[arg-type]
    assert [row.time for row in found] == [at(minute).time for minute in (30, 50, 70)]


def test_the_newest_rows_of_a_version_are_found_though_files_overlap(tmp_path: Path) -> None:
    folder = LogFolder(str(tmp_path))
    write_file(folder, "one", at(1), at(2), at(3))
    write_file(folder, "two", at(0), at(4, version=2), at(10))
    assert [row.time for row in newest_rows(folder, 3, 1, BEGIN, END)] == [at(minute).time for minute in (2, 3, 10)]
    assert [row.time for row in newest_rows(folder, 9, 2, BEGIN, END)] == [at(4).time]
    assert newest_rows(folder, 3, 1, at(11).time, END) == []  # type: ignore[arg-type]


def test_columns_that_a_later_release_adds_are_ignored_and_missing_ones_unknown() -> None:
    import pyarrow as pa

    table = pa.table({"version": [3], "weather": ["rain"]})
    assert from_table(table) == [LoggedImage(version=3)]


def test_a_file_that_is_not_of_a_log_is_named(tmp_path: Path) -> None:
    folder = LogFolder(str(tmp_path))
    folder.write("requests/date=2026-11-27/23-00-00.000000-x-1-1.parquet", b"text")
    with pytest.raises(UserError, match=r"23-00-00.000000-x-1-1.parquet is damaged, or is not a file of a request log"):
        rows_between(folder, BEGIN, END)
