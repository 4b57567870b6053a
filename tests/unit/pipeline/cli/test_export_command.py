"""`segpipe export`: a format that the version holds is copied, another one needs images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.main import cli
from registry.exports import EXPORTS_FILE, Export, Exports
from registry.store import Registry

ONNX = Export(
    format="onnx",
    path="assets.extra/onnx/model.onnx",
    bytes=4,
    pictures=2,
    agreement=0.9995,
    mean_agreement=0.9999,
    mean_iou=0.8,
    iou_loss=0.0001,
)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Version 1 holds an ONNX file, and is served."""
    model = tmp_path / "model"
    (model / ONNX.path).parent.mkdir(parents=True)
    (model / ONNX.path).write_bytes(b"onnx")
    (model / "saved_model.pb").write_text("a")
    (model / EXPORTS_FILE).write_text(Exports(saved_model_bytes=1_234_567, formats=(ONNX,)).model_dump_json())
    registry = Registry(str(tmp_path / "registry"))
    registry.push(
        str(model), model_name="a", data_fingerprint="d", baseline_version=None, metrics={}, config={}, software={}
    )
    registry.serve(1)
    return registry


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, arguments)])


def test_a_format_of_the_version_is_copied(registry: Registry, tmp_path: Path) -> None:
    result = run("export", registry.uri, "--format", "onnx", "--out", tmp_path / "out" / "a.onnx")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "a.onnx").read_bytes() == b"onnx"
    assert "of version 1: onnx, 0.0 kB: 99.95% of the SavedModel's pixels in the worst of 2 images" in result.output
    assert "mean IoU 0.8000 (-0.0001)" in result.output


def test_a_changed_file_is_refused(registry: Registry, tmp_path: Path) -> None:
    (Path(registry.version_location(1)) / ONNX.path).write_bytes(b"evil")
    result = run("export", registry.uri, "--format", "onnx", "--out", tmp_path / "a.onnx")
    assert result.exit_code == 1
    assert "model.onnx is not the file that was pushed as part of version 1" in result.output
    assert not (tmp_path / "a.onnx").exists()


def test_another_format_needs_images_to_be_compared_on(registry: Registry, tmp_path: Path) -> None:
    result = run("export", registry.uri, "--format", "tflite", "--out", tmp_path / "a.tflite")
    assert result.exit_code == 1
    assert "version 1 does not hold the format tflite; name images with --images" in result.output


def test_versions_names_the_formats_and_their_sizes(registry: Registry) -> None:
    result = run("versions", "--registry", registry.uri)
    assert "version 1 holds saved_model (1.2 MB), onnx (0.0 kB)" in result.output


def test_missing_images_are_told_before_tensorflow_is_imported(registry: Registry, tmp_path: Path) -> None:
    script = (
        "import sys; from click.testing import CliRunner; from pipeline.cli.main import cli; "
        "done = CliRunner().invoke(cli, sys.argv[1:]); print(done.exit_code, done.output, 'tensorflow' in sys.modules)"
    )
    words = ["export", registry.uri, "--format", "tflite", "--out", str(tmp_path / "a"), "--images", "nowhere"]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
    assert done.stdout == "1 error: image not found: nowhere\n False\n"
    assert not done.stderr
