"""`segpipe preview`: draws a contact sheet of training images."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from PIL import Image

from common import records
from common.errors import UserError
from common.plurals import counted
from common.records import SPLITS
from components.band_picture import viewable
from pipeline.cli.console import quiet_streams
from pipeline.cli.contact_sheet import MaskedImage, Row, draw_sheet
from pipeline.cli.output_file import check_writable, write_file
from pipeline.config.run_config import RunConfig
from pipeline.dag.run_date import on_date

IMAGES = 6
VARIANTS = 5
_TRAIN = SPLITS[0]


def write_preview(config: RunConfig, out: Path) -> None:
    """Draws images of the training split, each as it is and augmented at random, to the PNG file `out`.

    Only the images that are drawn are read; unreadable ones are skipped.

    Raises:
        UserError: `out` cannot be written, or no image can be used for training.
    """
    if out.suffix.lower() != ".png":
        raise UserError(f"{out} must end in .png, the format that is written")
    check_writable(out)
    with quiet_streams(config.workspace_dir / "logs" / "preview.log") as console:
        with console.status("reading images"):
            found = list(islice(_training_records(config), IMAGES))
        if not found:
            raise UserError(f"no image of {config.name} can be used for training; `segpipe check` lists the reasons")
        with console.status("augmenting and drawing the images"):
            rows = _rows(config, found)
            headings = ["as it is", *(f"changed {number}" for number in range(1, VARIANTS + 1))]
            sheet = draw_sheet(*_titles(config), headings, rows, config.data.classes)
        _save(sheet, out)
        console.print(
            f"{out}: {counted(len(rows), 'training image')}, each as it is and augmented {VARIANTS} times",
            markup=False,
            soft_wrap=True,
        )


def _training_records(config: RunConfig) -> Iterator[bytes]:
    """Serialised records of the training split, from all over the data, read as ingestion reads them."""
    from components.example_gen.ingestion import IngestedExample, Ingestion
    from components.example_gen.splits import Candidate

    ingestion = Ingestion(on_date(config).data, config.seed)
    pairs = ingestion.listing().pairs
    step = max(1, len(pairs) // IMAGES)
    for first in range(step):  # A source reads pairs in its own order, so they are taken at regular intervals.
        candidates = [
            found
            for found in ingestion.identify(pairs[first::step])
            if isinstance(found, Candidate) and found.split == _TRAIN
        ]
        yield from (loaded.record for loaded in ingestion.load(candidates) if isinstance(loaded, IngestedExample))


def _rows(config: RunConfig, found: list[bytes]) -> list[Row]:
    import tensorflow as tf

    from components.trainer.augmentation.augmenter import augmenter
    from components.transform.image_ops import decode_image, decode_mask, resize_image, resize_mask

    keys = (records.IMAGE_ENCODED, records.MASK_ENCODED, records.IMAGE_ID)
    parsed = tf.io.parse_example(found, {key: tf.io.FixedLenFeature([], tf.string) for key in keys})
    # Images of bands are shown, and augmented, as the picture that a viewer sees of them.
    parsed[records.IMAGE_ENCODED] = tf.constant([viewable(one) for one in parsed[records.IMAGE_ENCODED].numpy()])
    if config.transform.crops:
        from pipeline.cli.preview_windows import rows_of_windows

        image_B, mask_B, name_B = (parsed[key] for key in keys)
        return rows_of_windows(config, image_B, mask_B, name_B, VARIANTS)
    size = (config.transform.height, config.transform.width, config.transform.aspect)
    image_BHWC = tf.stack([resize_image(decode_image(one), *size) for one in parsed[records.IMAGE_ENCODED]])
    mask_BHW = tf.stack([resize_mask(decode_mask(one), *size) for one in parsed[records.MASK_ENCODED]])
    augment = augmenter(config.trainer.augmentation)
    seeds = [tf.constant([config.seed, number], tf.int64) for number in range(VARIANTS)]
    ways = [(image_BHWC, mask_BHW), *(augment(image_BHWC, mask_BHW, seed_2) for seed_2 in seeds)]
    return [
        Row(name.decode(), [MaskedImage(image[index].numpy(), mask[index].numpy()) for image, mask in ways])
        for index, name in enumerate(parsed[records.IMAGE_ID].numpy())
    ]


def _titles(config: RunConfig) -> tuple[str, str]:
    changes = [name for name, value in config.trainer.augmentation if value]
    title = f"{config.name}: training images"
    size = f"{config.transform.height} by {config.transform.width} pixels"
    if config.transform.crops:
        size = f"windows of {size}, beside the whole image"
    return title, f"{size}; augmented by {', '.join(changes) or 'nothing'}"


def _save(sheet: Image.Image, out: Path) -> None:
    encoded = io.BytesIO()
    sheet.save(encoded, "PNG")
    write_file(out, encoded.getvalue())
