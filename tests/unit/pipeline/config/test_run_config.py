"""One YAML file is one use case: what fits is typed, what does not is refused with the key's path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.errors import UserError
from components.trainer.architectures import DEFAULT_ARCHITECTURE, UNet
from pipeline.config.run_config import RunConfig, load_config

CONFIGS = Path("pipeline/configs")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_configuration_is_sound_and_has_a_schema(path: Path) -> None:
    config = load_config(path)
    assert config.name == path.stem
    assert config.schema_file.exists()


def test_the_clothing_configuration_has_59_classes() -> None:
    assert len(load_config(CONFIGS / "clothing.yaml").data.classes) == 59


def test_what_is_not_said_has_a_default(minimal: Path) -> None:
    config = load_config(minimal)
    assert config.trainer.model == DEFAULT_ARCHITECTURE
    assert config.transform.normalize == "none"
    assert config.registry_uri == str(config.workspace_dir / "registry")
    assert config.workspace_dir.parts[-2:] == ("runs", "tiny")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("trainer.epochz=3", "trainer.epochz: unknown key; did you mean 'epochs'?"),
        ("data.source.rot=x", "data.source.rot: unknown key; did you mean 'root'?"),
        (
            "data.source.type=folder",
            "unknown type 'folder'; the types are folders, manifest, tfds, coco, cvat, "
            "label_studio, instances, labelme, yolo, voc and cityscapes; did you mean 'folders'?",
        ),
        (
            "trainer.epochs=many",
            "trainer.epochs: must be a whole number of at least 1, not 'many'; for example epochs: 20",
        ),
        ("trainer.epochs=0", "trainer.epochs: must be a whole number of at least 1, not 0"),
        ("trainer.model.type=transformer", "unknown type 'transformer'; the types are unet, encoder_unet, fcn8"),
        ("trainer.model={type: encoder_unet}", "trainer.model.encoder is missing"),
        (
            "trainer.model={type: encoder_unet, encodr: {}}",
            "trainer.model.encodr: unknown key; did you mean 'encoder'?",
        ),
        ("trainer.model={type: encoder_unet, encoder: vgg16}", "trainer.model.encoder: write it as {name: vgg16}"),
        (
            "trainer.model={type: encoder_unet, encoder: {name: vgg}}",
            "trainer.model.encoder.name: must be 'mobilenet_v2', ",
        ),
        ("trainer.model={type: fcn8, encoder: {name: resnet50}}", "fcn8 requires the encoder vgg16, not resnet50"),
        ("trainer.model={type: fcn8, encoder: {name: vgg16, weights: a.pkl}}", "'a.pkl' is neither imagenet, nor none"),
        ("trainer.model={type: fcn8, encoder: {name: vgg16, alpha: 2}}", "alpha is for mobilenet, mobilenet_v2, "),
        (
            "trainer.model={type: deeplabv3plus, encoder: {name: mobilenet, alpha: 0.3}}",
            "for alpha 0.25, 0.5, 0.75, 1.0",
        ),
        (
            "trainer.model={type: encoder_unet, encoder: {name: vgg16}, widths: [1, 2]}",
            "trainer.model.widths: must be a list of 4 whole numbers, but has 2: [1, 2]",
        ),
        ("trainer.model={type: deeplabv3plus, encoder: {name: vgg16}, rates: [0]}", "rates must be at least 1"),
        ("trainer.model={type: segformer, encoder: {name: vgg16}}", "segformer requires the encoder mit_b0, mit_b1 or"),
        (
            "trainer.model={type: fpn, encoder: {name: mit_b0}}",
            "Keras publishes no weights of mit_b0; convert a published",
        ),
        (
            "trainer.model={type: encoder_unet, encoder: {name: vgg16}, decoder: unet++, attention: true}",
            "attention is for the decoders pix2pix and convolution; unet++",
        ),
        ("trainer.model.normalise=layer", "trainer.model.normalise: must be 'batch', 'group' or 'none'"),
        (
            "trainer={model: {type: deeplabv3plus, encoder: {name: vgg16}}, batch_size: 1}",
            "trainer.batch_size 1 leaves batch normalisation a single value of each channel",
        ),
        ("transform.height=100", "must be divisible by 32"),
        ("transform.values={type: percentile}", "transform.values needs data.bands"),
        ("transform.values={type: fixed, low: 3, high: 2}", "low (3) must be below high (2)"),
        ("data.bands={names: [a], depth: float32}", "transform.values must be of type fixed or percentile"),
        ("data.bands={names: [a, b], use: [c]}", "unknown band 'c'; names has a, b"),
        ("data.classes=[one]", "data.classes: must be a list of 2 to 255 texts, but has 1: [one]"),
        ("data.classes=[one, null]", "data.classes[1]: must be text, not null; put it in quotes"),
        ("data.classes=[one, one]", "class 'one' is named twice"),
        ("data.split={train: 0.5}", "train, eval and test must add up to 1, but add up to 0.7"),
        ("data.labels={type: values, classes: {0: sky}}", "labels name class 'sky'"),
        ("data.labels={type: colours, classes: {red: thing}}", "'red' is not a colour; write it as '#rrggbb'"),
        ("evaluator.thresholds=[{metric: iou/thing}]", "give at_least, may_drop or both"),
        ("evaluator.thresholds=[{metric: iou/thin, at_least: 0.5}]", "there is no class 'thin'; did you mean 'thing'?"),
        ("evaluator.slices=[camera]", "there is no slice 'camera'"),
        ("trainer.loss=dise", "trainer.loss: unknown type 'dise'; the types are cross_entropy"),
        ("trainer.loss=[]", "trainer.loss: must be a list of one or more sections, but has 0: []"),
        ("trainer.loss=[{type: focal, gama: 1}]", "trainer.loss[0].gama: unknown key; did you mean 'gamma'?"),
        ("data.source={type: manifest, root: x, fil: y}", "data.source.fil: unknown key; did you mean 'file'?"),
        ("trainer.class_weights={thin: 2}", "trainer.class_weights: there is no class 'thin'; did you mean 'thing'?"),
        ("trainer.augmentation.rotate={degree: 9}", "trainer.augmentation.rotate.degree: unknown key"),
        ("trainer.augmentation.crop={scale: [0.9, 0.5]}", "crop.scale: the range must rise, but 0.9 is above 0.5"),
        ("trainer.augmentation.flip_vertical=2", "flip_vertical: must be a number from 0 to 1, not 2"),
        ("name=Not A Name", "name: 'Not A Name' is not a name: small letters, digits and hyphens"),
        ("kubeflow.steps.trainer.memory=8Gb", "trainer.memory: '8Gb' is not an amount of memory: 512Mi or 8Gi"),
        ("kubeflow.steps.trainer.cpu=many", "trainer.cpu: 'many' is not a number of cores"),
        ("kubeflow.image=https://registry/segpipe:1", "kubeflow.image: 'https://registry/segpipe:1' is not an image"),
        ("kubeflow.image=Segpipe:1", "kubeflow.image: 'Segpipe:1' is not an image"),
        (
            "kubeflow.pipeline_root=http://bucket",
            "'http://bucket' is not an address of a bucket: minio://, s3:// or gs://",
        ),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_would_be_right(minimal: Path, override: str, sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        load_config(minimal, [override])
    assert sentence in str(raised.value)
    assert str(minimal) in str(raised.value)


def test_segformer_takes_any_size_from_32_pixels_on(minimal: Path) -> None:
    model = "trainer.model={type: segformer, encoder: {name: mit_b0, weights: none}}"
    assert load_config(minimal, [model, "transform.height=50", "transform.width=71"]).transform.width == 71
    with pytest.raises(UserError, match=r"\(31×71\) must be at least 32 with trainer\.model\.type segformer"):
        load_config(minimal, [model, "transform.height=31", "transform.width=71"])


@pytest.mark.parametrize("architecture", ["encoder_unet", "fcn8", "deeplabv3plus", "fpn"])
def test_an_encoder_scales_images_itself_and_needs_sizes_divisible_by_32(minimal: Path, architecture: str) -> None:
    model = f"trainer.model={{type: {architecture}, encoder: {{name: vgg16}}}}"
    config = load_config(minimal, [model])
    assert config.transform.normalize == "none"
    assert config.trainer.model.encoder.weights == "imagenet"
    assert load_config(minimal, [model, "transform.normalize=none"]) == config
    with pytest.raises(
        UserError, match=r"transform\.normalize must be none or picture, not channel, .*vgg16 scales images itself"
    ):
        load_config(minimal, [model, "transform.normalize=channel"])
    sentence = rf"\(144×128\) must be divisible by 32, as trainer\.model\.type {architecture} halves them 5 times"
    with pytest.raises(UserError, match=sentence):
        load_config(minimal, [model, "transform.height=144"])


def test_what_the_encoder_decides_travels_with_the_configuration(minimal: Path) -> None:
    config = load_config(minimal, ["trainer.model={type: encoder_unet, encoder: {name: vgg16}}"])
    assert json.loads(config.model_dump_json())["transform"]["normalize"] == "none"
    assert RunConfig.model_validate_json(config.model_dump_json(by_alias=True)) == config


def test_without_an_encoder_the_model_scales_by_the_channels(minimal: Path) -> None:
    assert load_config(minimal, ["trainer.model={type: unet}"]).transform.normalize == "channel"


def test_a_model_without_a_type_is_a_unet(minimal: Path) -> None:
    assert load_config(minimal, ["trainer.model={width: 8}"]).trainer.model == UNet(width=8)


def test_quarter_turns_of_an_oblong_are_impossible(minimal: Path) -> None:
    overrides = ["transform.height=64", "transform.width=128", "trainer.augmentation.quarter_turns=true"]
    with pytest.raises(UserError, match=r"quarter_turns needs transform\.height = width, which are 64×128"):
        load_config(minimal, overrides)


def test_tiles_that_would_fill_the_memory_are_refused(minimal: Path) -> None:
    overrides = ["transform.height=2048", "transform.width=2048", "trainer.max_pixels=10000000000"]
    load_config(minimal, overrides)
    with pytest.raises(UserError, match=r"mode tile would hold 1\.6 GB .* lower trainer\.max_pixels to \d+"):
        load_config(minimal, [*overrides, "trainer.inference.mode=tile"])


def test_all_mistakes_are_named_at_once(minimal: Path) -> None:
    with pytest.raises(UserError) as raised:
        load_config(minimal, ["trainer.epochz=3", "transform.heigth=3"])
    assert "epochz" in str(raised.value)
    assert "heigth" in str(raised.value)


@pytest.mark.parametrize("override", ["trainer.epochs", "=3", "name.x=3", "trainer.epochs=[1"])
def test_an_override_that_is_none_says_how_to_write_one(minimal: Path, override: str) -> None:
    with pytest.raises(UserError, match="--set"):
        load_config(minimal, [override])


def test_a_file_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(UserError, match=r"cannot read .*No such file.*sample\.yaml"):
        load_config("pipeline/configs/sampel.yaml")


@pytest.mark.parametrize("text", ["a: [1", "- 1", "", "\tx"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"broken\.yaml"):
        load_config(path)


def test_a_picture_given_as_configuration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(UserError, match="is not a text file"):
        load_config(path)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_configuration_survives_the_trip_to_a_component_and_back(path: Path) -> None:
    config = load_config(path)
    assert RunConfig.model_validate_json(config.model_dump_json(by_alias=True)) == config


def test_windows_are_served_and_evaluated_in_tiles_at_their_scale(minimal: Path) -> None:
    config = load_config(minimal, ["transform={mode: crop, scale: 0.5}"])
    assert (config.trainer.inference.mode, config.trainer.inference.scale) == ("tile", 0.5)
    assert load_config(minimal).trainer.inference.mode == "resize"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["transform.scale=0.5"], "scale needs mode crop"),
        (["transform={mode: crop, aspect: letterbox}"], "aspect letterbox needs mode resize"),
        (["transform={aspect: letterbox, normalize: picture}"], "normalize picture needs aspect stretch"),
        (["trainer.windows.foreground=0.5"], r"trainer\.windows needs transform\.mode crop"),
        (["transform.mode=crop", "trainer.inference.mode=resize"], r"trainer\.inference\.mode must be tile"),
        (["transform.mode=crop", "trainer.inference.scale=0.5"], r"trainer\.inference\.scale must be 1\.0"),
        (["transform.mode=crop", "trainer.augmentation.crop={}"], r"use trainer\.windows\.zoom"),
        (["transform.mode=crop", "trainer.windows.zoom=[2, 1]"], "the range must rise"),
        (["transform.mode=crop", "trainer.windows.shares={a: {b: 0}}"], "must have a share above 0"),
        (["transform.mode=crop", "trainer.windows.shares={kind: {b: 1}}"], "'kind' is not a slicing column or bucket"),
    ],
)
def test_settings_of_windows_that_do_not_fit_are_refused(minimal: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_config(minimal, overrides)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.warm_start=blessed", "the served model becomes an ensemble, from which no single network can start"),
        ("evaluator.split=eval", "evaluator.split must be test with data.split.folds: eval is fold 1"),
        ("data.split.folds=11", "data.split.folds: must be a whole number from 2 to 10, not 11"),
    ],
)
def test_what_does_not_go_with_folds_is_refused(minimal: Path, override: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config(minimal, ["data.split.folds=3", override])
    assert message in str(caught.value)


def test_several_workers_and_a_search_go_with_folds(minimal: Path) -> None:
    config = load_config(minimal, ["data.split.folds=3", "trainer.workers=2", "tuner={max_epochs: 2}"])
    assert config.data.split.folds == 3
