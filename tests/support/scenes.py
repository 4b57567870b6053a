"""Made-up GeoTIFFs, and registries of small models that predict them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import from_origin

from registry.store import Registry
from tests.support.serving import BIRTH

CLASS_NAMES = ("ground", "roof", "tree")
CRS = "EPSG:32633"
TRANSFORM = from_origin(500_000, 5_200_000, 0.5, 0.5)


def scene_registry(
    folder: Path,
    tile_2: tuple[int, int] = (16, 24),
    normalize: str = "channel",
    depth: str | None = None,
    max_pixels: int = 4_000_000,
    width: int = 0,
    **inference: Any,
) -> Registry:
    """A registry whose model is sensitive to where in a tile a pixel is, so that a misplaced tile shows.

    With `depth` it takes four bands, of which the third, second and fourth are used.  `width` is that of a convolution
    before the classes.
    """
    import tensorflow as tf

    from components.trainer.export import export
    from components.trainer.inference.config import InferenceConfig
    from components.trainer.inference.model import ServedModel
    from components.transform.bands import Range
    from components.transform.config import TransformConfig
    from components.transform.pixel_format import PixelFormat
    from components.transform.pixel_source import RGB_SOURCE, scaled_source

    settings = {"mode": "tile", "batch": 3} | inference
    transform = TransformConfig.model_validate({"height": tile_2[0], "width": tile_2[1], "normalize": normalize})
    source = RGB_SOURCE
    if depth:
        limits = Range(tf.constant([10.0, 0.0, 40.0]), tf.constant([200.0, 900.0, 1000.0]))
        source = scaled_source(PixelFormat(3, depth), limits)
    served = ServedModel(
        [_network(tile_2, normalize, width)],
        _resizing(tile_2, source),
        transform,
        CLASS_NAMES,
        max_pixels,
        InferenceConfig.model_validate(settings),
        source,
    )
    export(served, str(folder / "export"))
    registry = Registry(str(folder / "registry"))
    registry.push(str(folder / "export"), **BIRTH | {"config": _config(depth, max_pixels, settings, transform)})
    registry.serve(1)
    return registry


def write_scene(path: Path, image_CHW: np.ndarray, mask_HW: np.ndarray | None = None, **settings: Any) -> Path:
    """Writes a GeoTIFF in tiles of 32; `mask_HW` becomes its internal mask."""
    count, height, width = image_CHW.shape
    profile: dict[str, Any] = {"crs": CRS, "transform": TRANSFORM, "tiled": True, "blockxsize": 32, "blockysize": 32}
    profile |= settings
    photometric = profile.pop("photometric", "RGB" if count == 3 else "MINISBLACK")
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=height,
            width=width,
            count=count,
            dtype=image_CHW.dtype,
            photometric=photometric,
            **profile,
        ) as dataset,
    ):
        dataset.write(image_CHW)
        if mask_HW is not None:
            dataset.write_mask(mask_HW)
    return path


def blocky_image(bands: int, height: int, width: int, dtype: str = "uint8", highest: int = 255) -> np.ndarray:
    """Blocks of 8 pixels with noise on them, [bands, H, W]."""
    random = np.random.default_rng(height * 1000 + width)
    coarse = random.integers(0, highest, [bands, -(-height // 8), -(-width // 8)])
    image_CHW = np.kron(coarse, np.ones([1, 8, 8], int))[:, :height, :width]
    return np.clip(image_CHW + random.integers(0, 9, image_CHW.shape), 0, highest).astype(dtype)


def _network(tile_2: tuple[int, int], normalize: str, width: int) -> Any:
    import tf_keras as keras

    keras.utils.set_random_seed(1)
    image = keras.Input([*tile_2, 3])
    # A model that normalises by image gets values of about −2…2, another one 0…255.
    scaled = image if normalize == "picture" else keras.layers.Rescaling(1 / 64, -2.0)(image)
    if width:
        scaled = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(scaled)
    logits = keras.layers.Conv2D(len(CLASS_NAMES), 1 if width else 3, padding="same")(scaled)
    random = np.random.default_rng(0)
    where_HWC = random.normal(size=[*tile_2, len(CLASS_NAMES)]).astype(np.float32) / 4
    return keras.Model(image, keras.layers.Lambda(lambda value: value + where_HWC)(logits))


def _resizing(tile_2: tuple[int, int], source: Any) -> Any:
    import tensorflow as tf

    from common import records
    from components.transform import features
    from components.transform.image_ops import resize_image, to_bytes

    def image_to_model(encoded: tf.Tensor) -> tf.Tensor:
        return to_bytes(resize_image(source.decode(encoded), *tile_2, "stretch"))

    return lambda parsed: {features.IMAGE: tf.map_fn(image_to_model, parsed[records.IMAGE_ENCODED])}


def _config(depth: str | None, max_pixels: int, inference: dict[str, Any], transform: Any) -> dict[str, Any]:
    """The parts of a configuration that a manifest holds and that predicting reads."""
    bands = {"names": ["blue", "green", "red", "nir"], "use": ["red", "green", "nir"], "depth": depth}
    data: dict[str, Any] = {"source": {"type": "folders", "root": "data"}, "classes": list(CLASS_NAMES)}
    return {
        "data": data | ({"bands": bands} if depth else {}),
        "trainer": {"max_pixels": max_pixels, "inference": inference},
        "transform": transform.model_dump(mode="json"),
    }
