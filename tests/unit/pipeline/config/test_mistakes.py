"""Mistakes that people make in a configuration, and the whole of what each is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.config.run_config import load_config

SOUND = """\
name: roofs
data:
  source: {type: folders, root: data}
  classes: [background, roof]
transform: {height: 64, width: 64}
trainer:
  epochs: 5
  batch_size: 4
evaluator:
  thresholds:
    - {metric: iou/roof, at_least: 0.5}
"""

MISTAKES = {
    "a key that is given twice": (
        ("  batch_size: 4\n", "  batch_size: 4\n  epochs: 50\n"),
        "roofs.yaml, line 9: trainer.epochs is given twice, in lines 7 and 9; keep one of them",
    ),
    "equal keys that are written in different ways": (
        ("[background, roof]\n", "[background, roof]\n  labels: {type: values, classes: {1: roof, 0x1: background}}\n"),
        "roofs.yaml, line 5: data.labels.classes.1 is given twice, in line 5; keep one of them",
    ),
    "a misspelt key that must be there": (
        ("source:", "sorce:"),
        "roofs.yaml, line 3: data.sorce: unknown key; did you mean 'source'?",
    ),
    "a key in the wrong section": (
        ("name: roofs\n", "name: roofs\nlearning_rate: 0.01\n"),
        "roofs.yaml, line 2: learning_rate: unknown key; did you mean trainer.learning_rate, tuner.learning_rate or "
        "trainer.fine_tuning.learning_rate?",
    ),
    "words in place of a number": (
        ("epochs: 5", "epochs: many"),
        "roofs.yaml, line 7: trainer.epochs: must be a whole number of at least 1, not 'many'; for example epochs: 20",
    ),
    "a number that is too small": (
        ("epochs: 5", "epochs: 0"),
        "roofs.yaml, line 7: trainer.epochs: must be a whole number of at least 1, not 0",
    ),
    "yes in place of a number": (
        ("epochs: 5", "epochs: yes"),
        "roofs.yaml, line 7: trainer.epochs: must be a whole number of at least 1, not yes (which YAML reads as true); "
        "for example epochs: 20",
    ),
    "a share in percent": (
        ("at_least: 0.5", "at_least: 50"),
        "roofs.yaml, line 11: evaluator.thresholds[0].at_least: must be a number from 0 to 1, not 50",
    ),
    "a text in place of a list": (
        ("[background, roof]", "background"),
        "roofs.yaml, line 4: data.classes: must be a list of 2 to 255 texts, not 'background'; "
        "write classes: [background]",
    ),
    "braces in place of brackets": (
        ("[background, roof]", "{background, roof}"),
        "roofs.yaml, line 4: data.classes: must be a list of 2 to 255 texts; write it in brackets: "
        "classes: [background, roof]",
    ),
    "a list with one item": (
        ("[background, roof]", "[roof]"),
        "roofs.yaml, line 4: data.classes: must be a list of 2 to 255 texts, but has 1: [roof]; "
        "for example classes: [background, building]",
    ),
    "a class called no": (
        ("[background, roof]", "[no, roof]"),
        "roofs.yaml, line 4: data.classes[0]: must be text, not no (which YAML reads as false); put it in quotes: 'no'",
    ),
    "an unknown type": (
        ("type: folders", "type: folder"),
        "roofs.yaml, line 3: data.source.type: unknown type 'folder'; the types are folders, manifest, tfds, coco, "
        "cvat, label_studio, instances, labelme, yolo, voc and cityscapes; "
        "did you mean 'folders'?",
    ),
    "no type, though the keys tell it": (
        ("[background, roof]\n", "[background, roof]\n  labels: {classes: {0: background, 255: roof}}\n"),
        "roofs.yaml, line 5: data.labels needs a type; {classes: {0: 'background', 255: 'roof'}} fits values: "
        "add type: values",
    ),
    "no type, where several fit": (
        ("type: folders, ", ""),
        "roofs.yaml, line 3: data.source needs a type; {root: 'data'} fits folders, manifest, coco, cvat, "
        "label_studio, labelme, yolo, voc and cityscapes: add type: folders, or another",
    ),
    "an unknown choice": (
        ("evaluator:\n", "evaluator:\n  split: tset\n"),
        "roofs.yaml, line 10: evaluator.split: must be 'eval' or 'test', not 'tset'; did you mean 'test'?",
    ),
    "an unknown loss": (
        ("epochs: 5\n", "epochs: 5\n  loss: dise\n"),
        "roofs.yaml, line 8: trainer.loss: unknown type 'dise'; the types are cross_entropy, focal, dice, jaccard, "
        "tversky and lovasz; did you mean 'dice'?",
    ),
    "a colour without quotes": (
        ("[background, roof]\n", "[background, roof]\n  labels: {type: colours, classes: {#ff0000: roof}}\n"),
        "roofs.yaml, line 5: #ff0000 is a comment in YAML; put the colour in quotes: '#ff0000'",
    ),
    "a colour that stands twice, in capitals": (
        (
            "[background, roof]\n",
            "[background, roof]\n  labels: {type: colours, classes: {'#ff0000': roof, '#FF0000': roof}}\n",
        ),
        "roofs.yaml, line 5: data.labels: the colour '#ff0000' occurs twice in classes, in upper and in lower case",
    ),
    "a number that begins with 0": (
        ("epochs: 5", "epochs: 010"),
        "roofs.yaml, line 7: 010 is the number 8 in YAML (base 8); put it in quotes: '010', or write 10",
    ),
    "a colon without a space": (
        ("epochs: 5\n", "epochs:5\n"),
        "roofs.yaml, line 7: a space is missing after the colon: 'epochs:5'",
    ),
    "a tab": (
        ("  epochs: 5\n", "\tepochs: 5\n"),
        "roofs.yaml, line 7: the line is indented by a tab; YAML allows only spaces",
    ),
    "a glob without quotes": (
        ("root: data}", "root: data, images: [*.jpg]}"),
        "roofs.yaml, line 3: a text that begins with * must be in quotes, such as '*.png': "
        "'source: {type: folders, root: data, images: [*.jpg]}'",
    ),
    "a date without quotes around its braces": (
        ("root: data}", "root: {date}}"),
        "roofs.yaml, line 3: data.source.root: must be text, not {date}; put it in quotes: '{date}'",
    ),
    "a date in place of a list of dates": (
        ("root: data}", "root: '{date}', dates: 2024-05-01}"),
        "roofs.yaml, line 3: data.source.dates: must be a list of one or more dates, not 2024-05-01; "
        "write dates: [2024-05-01]",
    ),
    "a key without a value": (
        ("epochs: 5", "epochs:"),
        "roofs.yaml, line 7: trainer.epochs has no value; it must be a whole number of at least 1; "
        "for example epochs: 20",
    ),
    "a name in place of a section": (
        ("epochs: 5\n", "epochs: 5\n  model: unet\n"),
        "roofs.yaml, line 8: trainer.model: must be a section, not 'unet'; write model: {type: unet}",
    ),
    "a list that is too short": (
        ("epochs: 5\n", "epochs: 5\n  augmentation: {crop: {scale: [0.5]}}\n"),
        "roofs.yaml, line 8: trainer.augmentation.crop.scale: must be a list of 2 numbers above 0 and of at most 1, "
        "but has 1: [0.5]; for example scale: [0.5, 1.0]",
    ),
    "neither of two kinds of value": (
        ("at_least: 0.5}", "at_least: 0.5, slice: 5}"),
        "roofs.yaml, line 11: evaluator.thresholds[0].slice: must be a mapping from texts to texts or text, not 5",
    ),
    "a size that cannot be halved so often": (
        ("height: 64", "height: 100"),
        "roofs.yaml, line 5: transform.height and width (100×64) must be divisible by 32, as trainer.model.type "
        "encoder_unet halves them 5 times",
    ),
    "a class that is not there": (
        ("iou/roof", "iou/rooof"),
        "roofs.yaml, line 11: evaluator.thresholds[0].metric: there is no class 'rooof'; did you mean 'roof'?",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_line_place_value_and_remedy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old, new), sentence = MISTAKES[name]
    monkeypatch.chdir(tmp_path)
    assert old in SOUND
    Path("roofs.yaml").write_text(SOUND.replace(old, new))
    with pytest.raises(UserError) as raised:
        load_config("roofs.yaml")
    assert str(raised.value) == sentence


def test_the_configuration_that_they_are_made_in_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "roofs.yaml"
    path.write_text(SOUND)
    assert load_config(path).name == "roofs"


def test_several_mistakes_stand_in_lines_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("roofs.yaml").write_text(SOUND.replace("epochs: 5", "epochs: 0").replace("height", "heigth"))
    with pytest.raises(UserError) as raised:
        load_config("roofs.yaml", ["seed=-1"])
    assert str(raised.value).splitlines() == [
        "roofs.yaml has 3 mistakes:",
        "  --set: seed: must be a whole number from 0 to 4294967295, not -1",
        "  line 5: transform.heigth: unknown key; did you mean 'height'?",
        "  line 7: trainer.epochs: must be a whole number of at least 1, not 0",
    ]
