from pathlib import Path

from components.evaluator.baseline import same_files


def write(folder: Path, files: dict[str, str]) -> str:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return str(folder)


def test_folders_are_the_same_when_paths_and_bytes_are(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"saved_model.pb": "graph", "variables/data": "12"})
    assert same_files(one, write(tmp_path / "two", {"saved_model.pb": "graph", "variables/data": "12"}))
    extra = {"saved_model.pb": "graph", "variables/data": "12", "assets.extra/warmup": "requests"}
    assert same_files(one, write(tmp_path / "extra", extra))
    assert not same_files(one, write(tmp_path / "bytes", {"saved_model.pb": "graph", "variables/data": "13"}))
    assert not same_files(one, write(tmp_path / "fewer", {"saved_model.pb": "graph"}))
    assert not same_files(one, write(tmp_path / "names", {"saved_model.pb": "graph", "variables/dato": "12"}))
