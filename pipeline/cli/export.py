"""`segpipe export`: copies a format that a version holds, or converts its SavedModel and compares both."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError
from common.plurals import counted
from pipeline.cli.image_encoding import encoding_of
from pipeline.cli.image_files import find_images
from pipeline.cli.options import registry_uri
from pipeline.cli.output_file import write_file
from registry.exports import read_exports
from registry.manifest import Manifest
from registry.store import Registry

if TYPE_CHECKING:
    from components.exporter.comparison import Comparison
    from components.exporter.samples import LabelledImage

_AT_LEAST, _AT_LEAST_QUANTISED = 0.999, 0.95
_CONFIGURATIONS = (".yaml", ".yml")


def export_version(
    model: str, version: int | None, form: str, out: Path, images: Sequence[Path], at_least: float | None
) -> str:
    """Writes the file, and returns a line about it.

    Args:
        model: A run's configuration, or a registry.
        version: The version; by default the served one.
        form: Name of the format.
        out: The file to write.
        images: Images for a conversion.
        at_least: Share of each image's pixels that must get the SavedModel's class.

    Raises:
        UserError: there is no such version, the format needs images or packages, or it differs too much.
    """
    registry = Registry(_registry(model))
    manifest = _manifest(registry, version)
    exports = read_exports(registry, manifest.version)
    held = exports.of_format(form) if exports else None
    if held is not None:
        write_file(out, registry.read_file(manifest, held.path))
        return f"wrote {out}, of version {manifest.version}: {held.note}"
    if not images:
        raise UserError(
            f"version {manifest.version} does not hold the format {form}; name images with --images, on which a "
            "conversion is compared with the SavedModel"
        )
    return _convert(registry, manifest, form, out, images, at_least)


def _registry(model: str) -> str:
    if not model.endswith(_CONFIGURATIONS):
        return registry_uri(model)
    from pipeline.config.run_config import load_config

    return registry_uri(load_config(model).registry_uri)


def _manifest(registry: Registry, version: int | None) -> Manifest:
    number = registry.served() if version is None else version
    if number is None:
        raise UserError(f"the registry {registry.uri} serves no model yet; `segpipe run` pushes a blessed one")
    return registry.manifest(number)


def _convert(
    registry: Registry, manifest: Manifest, form: str, out: Path, images: Sequence[Path], at_least: float | None
) -> str:
    from components.exporter.formats import FORMATS, check_packages
    from pipeline.cli.console import quiet_streams

    check_packages([form], "--format")
    found, chosen = _Images(images, manifest.config), FORMATS[form]
    with (
        tempfile.TemporaryDirectory(prefix="segpipe-export-") as scratch,
        quiet_streams(Path(scratch, "log")) as console,
        console.status(f"converting version {manifest.version} and comparing {counted(found.count, 'image')}"),
    ):
        from components.exporter.comparison import Calibration, compare  # TensorFlow writes to standard error.
        from components.exporter.conversion import convert
        from components.exporter.exporting import measured
        from components.exporter.samples import check_decodable, settings_of_run
        from components.exporter.saved_model import SavedModel

        for image in found:
            check_decodable(image)
        settings = settings_of_run(manifest.config)
        folder, file = Path(scratch, "model"), Path(scratch, chosen.file)
        registry.fetch(manifest.version, str(folder))
        model = SavedModel(str(folder))
        calibration = Calibration(model, found, settings)
        predict = convert(chosen, model, file, calibration, "--format")
        compared = compare(chosen, predict, model, found, settings)
        default = _AT_LEAST_QUANTISED if chosen.is_quantised else _AT_LEAST
        _check(compared, form, default if at_least is None else at_least)
        write_file(out, file.read_bytes())
        note = measured(chosen, chosen.file, file.stat().st_size, compared, calibration.used).note
    return f"wrote {out}, converted from version {manifest.version}: {note}{found.skipped_note}"


class _Images:
    """Images of files and folders, read one by one each time that they are iterated."""

    def __init__(self, paths: Sequence[Path], config: Mapping[str, Any]) -> None:
        found = find_images(paths, Path(os.devnull))
        self._files = [image.path for image in found.images]
        self.count = len(self._files)
        self._encode = encoding_of(config)
        self.skipped_note = f"; skipped in the folders: {found.skipped_text}" if found.skipped else ""

    def __iter__(self) -> Iterator[LabelledImage]:
        from components.exporter.samples import LabelledImage

        for path in self._files:
            yield LabelledImage(str(path), self._encode(path, path.read_bytes()), None)


def _check(compared: Comparison, form: str, at_least: float) -> None:
    worst = compared.agreements[compared.worst]
    if worst < at_least:
        raise UserError(
            f"{form} is not written: in {compared.ids[compared.worst]} {worst:.2%} of the pixels agree with the "
            f"SavedModel, and --at-least asks for {at_least:.2%}"
        )
