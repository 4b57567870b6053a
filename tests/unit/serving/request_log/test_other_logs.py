"""Logs of other servers, as the same rows."""

from __future__ import annotations

import base64
import datetime
import io
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import prediction_log_pb2

from serving.request_log import kserve, tensorflow_serving
from serving.request_log.folder import LogFolder

REQUEST, RESPONSE = "org.kubeflow.serving.inference.request", "org.kubeflow.serving.inference.response"


def png(grey: int, height: int = 20, width: int = 30) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (grey, grey, grey)).save(out, "PNG")
    return out.getvalue()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# ---- TensorFlow Serving ----------------------------------------------------------------------------------------------


def prediction_log(*images: bytes, seconds: int = 1_795_000_000) -> bytes:
    log = prediction_log_pb2.PredictionLog()
    log.log_metadata.timestamp_secs = seconds
    predict = log.predict_log
    predict.request.model_spec.name = "tiny"
    predict.request.inputs["image"].CopyFrom(tf.make_tensor_proto(list(images), tf.string))
    predict.response.model_spec.name = "tiny"
    predict.response.model_spec.version.value = 4
    outputs = {
        "mask_bytes": [png(0)] * len(images),
        "class_fractions": np.tile(np.array([[0.75, 0.25]], np.float32), [len(images), 1]),
        "class_names": [[b"ground", b"roof"]] * len(images),
        "mean_confidence": np.full(len(images), 0.9, np.float32),
    }
    for name, values in outputs.items():
        predict.response.outputs[name].CopyFrom(tf.make_tensor_proto(values))
    return log.SerializeToString()


def write_records(path: Path, *records: bytes) -> None:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def test_prediction_logs_are_read_as_rows(tmp_path: Path) -> None:
    write_records(tmp_path / "log", prediction_log(png(51), png(102)), prediction_log(png(51), seconds=0))
    found = tensorflow_serving.read_log(LogFolder(str(tmp_path)))
    assert [row.brightness for row in found.rows] == pytest.approx([0.2, 0.4, 0.2], abs=1e-6)
    first = found.rows[0]
    assert (first.model, first.version, first.status, first.signature) == ("tiny", 4, "OK", "serving_default")
    assert (first.height, first.width, first.seconds) == (20, 30, None)
    assert first.class_fractions == {"ground": 0.75, "roof": 0.25}
    assert first.mean_confidence == pytest.approx(0.9)
    assert first.time == datetime.datetime.fromtimestamp(1_795_000_000, datetime.timezone.utc)
    assert found.notes() == ("time is unknown in 1 of 3 rows",)


def test_other_records_and_files_are_counted(tmp_path: Path) -> None:
    other = prediction_log_pb2.PredictionLog()
    other.classify_log.request.model_spec.name = "x"
    write_records(tmp_path / "a", prediction_log(png(51)), other.SerializeToString(), b"\xff\xff")
    (tmp_path / "b").write_bytes(b"a text that is longer than a header of a record")
    cut = (tmp_path / "a").read_bytes()[:-30]
    (tmp_path / "c").write_bytes(cut)
    found = tensorflow_serving.read_log(LogFolder(str(tmp_path)))
    assert len(found.rows) == 2
    assert found.ignored["the file is not a TFRecord file"] == 1
    assert found.ignored["it is not a PredictionLog"] == 1
    assert found.ignored["it is not a prediction"] >= 1


# ---- KServe ----------------------------------------------------------------------------------------------------------

V1_ANSWER = {
    "predictions": [
        {
            "mask_bytes": {"b64": b64(png(0))},
            "class_fractions": [0.75, 0.25],
            "class_names": ["ground", "roof"],
            "mean_confidence": 0.9,
        }
    ]
}
V2_ANSWER = {
    "model_name": "tiny",
    "model_version": "7",
    "outputs": [
        {"name": "mask_bytes", "shape": [1], "datatype": "BYTES", "data": [b64(png(0))]},
        {"name": "class_fractions", "shape": [1, 2], "datatype": "FP32", "data": [0.75, 0.25]},
        {"name": "class_names", "shape": [1, 2], "datatype": "BYTES", "data": ["ground", "roof"]},
        {"name": "mean_confidence", "shape": [1], "datatype": "FP32", "data": [0.9]},
    ],
}
V2_ASKED = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [b64(png(51))]}]}


def event(kind: str, key: str, body: object, time: str = "2026-11-27T10:00:00.5Z", **more: object) -> dict[str, object]:
    found = {"specversion": "1.0", "type": kind, "id": key, "time": time, "inferenceservicename": "tiny", "data": body}
    return found | more


def test_cloud_events_of_both_protocols_are_read_by_their_ids(tmp_path: Path) -> None:
    events = [
        event(REQUEST, "1", {"instances": [{"b64": b64(png(51))}]}),
        event(REQUEST, "2", json.dumps(V2_ASKED)),
        event(RESPONSE, "2", V2_ANSWER, "2026-11-27T10:00:02.123456789Z"),
        event(RESPONSE, "1", V1_ANSWER, "2026-11-27T10:00:01+00:00"),
    ]
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, events)))
    found = kserve.read_log(LogFolder(str(tmp_path)))
    first, second = found.rows
    for row in found.rows:
        assert (row.model, row.status, row.height, row.width) == ("tiny", "OK", 20, 30)
        assert row.class_fractions == {"ground": 0.75, "roof": 0.25}
        assert row.mean_confidence == pytest.approx(0.9)
        assert row.brightness == pytest.approx(0.2, abs=1e-6)
    assert (first.version, second.version) == (None, 7)
    assert (first.seconds, second.seconds) == pytest.approx((0.5, 1.623456))
    assert found.notes() == ("version is unknown in 1 of 2 rows",)


def test_the_files_of_the_blob_storage_are_read_and_their_time_is_unknown(tmp_path: Path) -> None:
    asked, answered = (json.dumps(body).encode() for body in ({"instances": [{"b64": b64(png(51))}]}, V1_ANSWER))
    for kind, body in ((REQUEST, asked), (RESPONSE, answered)):
        stored = [{"Bytes": b64(body), "ReqType": kind, "Id": "1", "InferenceService": "tiny", "Url": {}}]
        (tmp_path / f"1-{kind.rpartition('.')[2]}.json").write_text(json.dumps(stored))
    found = kserve.read_log(LogFolder(str(tmp_path)))
    assert [(row.model, row.time, row.seconds) for row in found.rows] == [("tiny", None, None)]
    assert "time is unknown in 1 of 1 row" in found.notes()


def test_an_error_is_a_row_with_its_reason(tmp_path: Path) -> None:
    events = [
        event(REQUEST, "1", {"instances": [{"b64": b64(b"text")}]}),
        event(RESPONSE, "1", {"error": "picture refused: it is a text"}),
    ]
    (tmp_path / "e.json").write_text(json.dumps(events))
    (row,) = kserve.read_log(LogFolder(str(tmp_path))).rows
    assert (row.status, row.error, row.class_fractions) == ("UNKNOWN", "picture refused: it is a text", None)


def test_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    events = [
        event(REQUEST, "1", {"instances": [{"b64": b64(png(1))}]}),
        event(RESPONSE, "2", V1_ANSWER),
        event(REQUEST, "3", {"instances": [1.5]}),
        event("org.example.other", "4", {}),
        event(REQUEST, "5", None, data_base64="not base64"),
    ]
    (tmp_path / "e.jsonl").write_text("\n".join(map(json.dumps, events)) + "\nnonsense")
    found = kserve.read_log(LogFolder(str(tmp_path)))
    assert found.rows == []
    assert found.ignored == {
        "it is not JSON": 1,
        "it is not an event of inference": 1,
        "its body is not JSON": 1,
        "a request without its response": 1,
        "its request holds no encoded images": 1,
        "a response without its request": 1,
    }
