from __future__ import annotations

import json
import threading
from pathlib import Path

import fsspec
import pytest

from common.errors import UserError
from registry.errors import (
    CorruptRecordError,
    CorruptVersionError,
    NoRegistryError,
    RegistryError,
    UnknownVersionError,
)
from registry.hashing import content_hash, hash_folder
from registry.local_storage import LocalStorage
from registry.storage import open_storage
from registry.store import Registry


def _files(uri: str) -> list[str]:
    return [path for path in open_storage(uri).files() if not path.startswith(".")]


class TestPush:
    def test_the_first_model_becomes_version_1_with_all_its_files(self, uri, make_model, birth):
        manifest, created = Registry(uri).push(make_model("a"), **birth)
        assert (manifest.version, created) == (1, True)
        assert _files(uri) == [
            "manifests/1.json",
            "versions/1/assets.extra/tf_serving_warmup_requests",
            "versions/1/saved_model.pb",
            "versions/1/variables/variables.data-00000-of-00001",
            "versions/1/variables/variables.index",
        ]

    def test_the_manifest_says_all_that_was_given(self, uri, make_model, birth):
        manifest, _ = Registry(uri).push(make_model("a"), **birth)
        assert Registry(uri).manifest(1) == manifest
        assert manifest.model_dump(include=set(birth)) == birth
        assert manifest.files == hash_folder(LocalStorage(make_model("a")))
        assert manifest.content_hash == content_hash(manifest.files)
        assert manifest.created.tzinfo is not None

    def test_a_pushed_version_is_not_served_by_that(self, uri, push):
        push(uri, "a", serve=False)
        assert Registry(uri).served() is None
        assert Registry(uri).served_manifest() is None

    def test_versions_are_numbered_on_and_listed_in_order(self, uri, push):
        for text in map(str, range(11)):
            push(uri, text)
        assert [manifest.version for manifest in Registry(uri).versions()] == list(range(1, 12))
        assert Registry(uri).served() == 11

    def test_the_same_content_makes_no_second_version(self, uri, push, make_model, birth):
        first = push(uri, "a")
        push(uri, "b")
        manifest, created = Registry(uri).push(make_model("a"), **birth)
        assert (manifest, created) == (first, False)
        assert Registry(uri).served() == 2

    def test_the_same_content_is_not_taken_for_there_if_it_is_damaged(self, uri, push, tamper):
        push(uri, "a")
        tamper(uri, "versions/1/saved_model.pb", b"another")
        with pytest.raises(CorruptVersionError, match=r"versions/1/saved_model\.pb"):
            push(uri, "a")

    def test_a_model_may_lie_in_a_bucket_too(self, uri, make_model, birth, tmp_path):
        source = f"memory://bucket-of-{tmp_path.name}/model"
        fsspec.filesystem("memory").put(make_model("a"), source, recursive=True)
        manifest, _ = Registry(uri).push(source, **birth)
        assert manifest.files == hash_folder(LocalStorage(make_model("a")))

    def test_a_folder_without_a_model_is_refused(self, uri, tmp_path, birth):
        with pytest.raises(UserError, match=r"no SavedModel in .*empty: saved_model.pb is missing"):
            Registry(uri).push(str(tmp_path / "empty"), **birth)

    def test_a_link_in_a_model_is_refused(self, uri, make_model, birth):
        model = Path(make_model("a"))
        (model / "assets").symlink_to("/etc")
        with pytest.raises(UserError, match=r"assets is a symbolic link"):
            Registry(uri).push(str(model), **birth)

    def test_another_model_is_refused(self, uri, push):
        push(uri, "a")
        with pytest.raises(UserError, match="holds the model 'nuclei', not 'pets'"):
            push(uri, "b", model_name="pets")

    def test_two_at_once_make_two_versions(self, uri, make_model, birth):
        models = [make_model(text) for text in "abcd"]
        threads = [threading.Thread(target=Registry(uri).push, args=(model,), kwargs=birth) for model in models]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        registry = Registry(uri)
        assert [registry.verify(number).version for number in (1, 2, 3, 4)] == [1, 2, 3, 4]
        assert len({manifest.content_hash for manifest in registry.versions()}) == 4

    def test_a_number_that_another_writer_took_is_passed_over(self, uri, push, tamper):
        push(uri, "a")
        tamper(uri, "versions/2/saved_model.pb", b"of another push")
        assert push(uri, "b").version == 3

    def test_a_registry_that_cannot_be_written_says_so(self, tmp_path, push):
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(UserError, match=r"file: name a folder"):
            push(str(tmp_path / "file" / "registry"), "a")


class TestReading:
    def test_a_registry_that_is_not_there_has_no_versions_and_serves_none(self, uri):
        assert Registry(uri).versions() == []
        assert Registry(uri).served() is None
        assert _files(uri) == []

    def test_asking_it_for_a_version_says_that_there_is_none(self, uri):
        with pytest.raises(NoRegistryError, match=r"the registry .* has no version: check its address"):
            Registry(uri).manifest(1)

    def test_an_unknown_version_is_answered_with_those_that_exist(self, uri, push):
        push(uri, "a")
        push(uri, "b")
        for ask in (Registry(uri).manifest, Registry(uri).serve, Registry(uri).rollback, Registry(uri).verify):
            with pytest.raises(UnknownVersionError, match="has no version 7; it has 1, 2"):
                ask(7)

    @pytest.mark.parametrize("text", [b"", b"{", b"{}", b"[]", b"\xff\xfe"])
    def test_a_manifest_that_is_no_manifest_is_named(self, uri, push, tamper, text):
        push(uri, "a")
        tamper(uri, "manifests/1.json", text)
        with pytest.raises(CorruptRecordError, match=r"manifests/1.json is damaged"):
            Registry(uri).versions()

    def test_a_manifest_of_another_version_is_refused(self, uri, push, tamper):
        manifest = push(uri, "a")
        tamper(uri, "manifests/4.json", manifest.model_dump_json().encode())
        with pytest.raises(CorruptRecordError, match=r"manifests/4.json is damaged"):
            Registry(uri).manifest(4)

    def test_a_damaged_record_of_what_is_served_is_named_with_a_way_out(self, uri, push, tamper):
        push(uri, "a")
        tamper(uri, "served.json", b"no json")
        with pytest.raises(CorruptRecordError, match=r'served.json is damaged .* write {"served": n} into it'):
            Registry(uri).served()
        tamper(uri, "served.json", b'{"served": 1}')
        assert Registry(uri).served() == 1

    def test_folders_without_a_manifest_and_strange_names_are_no_versions(self, uri, push, tamper):
        push(uri, "a")
        tamper(uri, "versions/2/saved_model.pb", b"half a push")
        tamper(uri, "manifests/notes.txt", b"hello")
        tamper(uri, "manifests/03.json", b"{}")
        assert [manifest.version for manifest in Registry(uri).versions()] == [1]

    def test_a_kind_of_place_that_nobody_knows_is_refused(self):
        with pytest.raises(RegistryError, match="'nowhere://x' cannot be opened"):
            Registry("nowhere://x")

    def test_a_file_uri_is_a_folder(self, tmp_path, push):
        push(f"file://{tmp_path}/registry", "a")
        assert Registry(str(tmp_path / "registry")).served() == 1


class TestVerify:
    def test_an_untouched_version_passes(self, uri, push):
        manifest = push(uri, "a")
        assert Registry(uri).verify(1) == manifest

    @pytest.mark.parametrize(
        ("path", "data"),
        [
            ("variables/variables.index", b"INDEX"),
            ("variables/variables.index", None),
            ("variables/more", b"nobody's"),
            ("assets.extra/tf_serving_warmup_requests", b"x"),
        ],
        ids=["changed", "missing", "added", "no longer empty"],
    )
    def test_any_touched_file_is_named(self, uri, push, tamper, tmp_path, path, data):
        push(uri, "a")
        tamper(uri, f"versions/1/{path}", data)
        for ask in (Registry(uri).verify, lambda version: Registry(uri).fetch(version, str(tmp_path / "target"))):
            with pytest.raises(CorruptVersionError, match=f"versions/1/{path} is not the file"):
                ask(1)
        assert not (tmp_path / "target").exists()

    @pytest.mark.parametrize("path", ["../../secret", "/etc/passwd", "a/../../b", "./a", "a//b", "a\\b", ""])
    def test_a_manifest_cannot_name_a_file_outside_of_its_version(self, uri, push, tamper, tmp_path, path):
        manifest = push(uri, "a")
        files = manifest.files | {path: "0" * 64}
        forged = manifest.model_copy(update={"files": files, "content_hash": content_hash(files)})
        tamper(uri, "manifests/1.json", forged.model_dump_json().encode())
        for ask in (Registry(uri).verify, lambda version: Registry(uri).fetch(version, str(tmp_path / "target"))):
            with pytest.raises(CorruptVersionError, match="which lies outside of"):
                ask(1)

    def test_a_large_file_is_not_held_in_memory(self, local_uri, make_model, birth):
        import tracemalloc

        model = make_model("large")
        with (Path(model) / "variables" / "variables.data-00000-of-00001").open("wb") as file:
            file.truncate(64 << 20)
        tracemalloc.start()
        Registry(local_uri).push(model, **birth)
        Registry(local_uri).verify(1)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 << 20


class TestFetch:
    def test_the_version_arrives_file_by_file(self, uri, push, make_model, tmp_path):
        manifest = push(uri, "a")
        assert Registry(uri).fetch(1, str(tmp_path / "deep" / "down" / "1")) == manifest
        assert hash_folder(LocalStorage(tmp_path / "deep" / "down" / "1")) == manifest.files

    def test_fetching_again_leaves_what_is_there(self, uri, push, tmp_path):
        push(uri, "a")
        Registry(uri).fetch(1, str(tmp_path / "target"))
        before = (tmp_path / "target").stat().st_ino
        Registry(uri).fetch(1, str(tmp_path / "target"))
        assert (tmp_path / "target").stat().st_ino == before

    def test_an_empty_target_is_filled(self, uri, push, tmp_path):
        manifest = push(uri, "a")
        (tmp_path / "target").mkdir()
        Registry(uri).fetch(1, str(tmp_path / "target"))
        assert hash_folder(LocalStorage(tmp_path / "target")) == manifest.files

    def test_a_target_with_something_else_is_refused_and_kept(self, uri, push, tmp_path):
        push(uri, "a")
        (tmp_path / "target").mkdir()
        (tmp_path / "target" / "file").write_text("mine")
        with pytest.raises(RegistryError, match="holds other files than version 1"):
            Registry(uri).fetch(1, str(tmp_path / "target"))
        assert (tmp_path / "target" / "file").read_text() == "mine"

    def test_a_bucket_is_no_target(self, uri, push):
        push(uri, "a")
        with pytest.raises(ValueError, match="not a local folder"):
            Registry(uri).fetch(1, "gs://bucket/folder")


class TestServing:
    def test_a_rollback_serves_the_version_before(self, uri, push):
        push(uri, "a")
        push(uri, "b")
        assert Registry(uri).rollback() == 1
        assert Registry(uri).served() == 1
        assert Registry(uri).withdrawn() == (2,)

    def test_a_rollback_to_a_damaged_version_is_refused(self, uri, push, tamper):
        push(uri, "a")
        push(uri, "b")
        tamper(uri, "versions/1/saved_model.pb", b"x")
        with pytest.raises(CorruptVersionError):
            Registry(uri).rollback()
        assert Registry(uri).served() == 2

    def test_without_a_version_before_a_rollback_says_so(self, uri, push):
        with pytest.raises(UserError, match="serves no version, so it cannot be rolled back"):
            Registry(uri).rollback()
        push(uri, "a")
        with pytest.raises(UserError, match="no version was served before version 1"):
            Registry(uri).rollback()
        push(uri, "b")
        Registry(uri).rollback()
        with pytest.raises(UserError, match="no version was served before version 1"):
            Registry(uri).rollback()

    def test_a_rollback_works_beside_a_damaged_manifest(self, uri, push, tamper):
        for text in "abc":
            push(uri, text)
        tamper(uri, "manifests/3.json", b"{")
        assert Registry(uri).rollback() == 2

    def test_a_rollback_passes_over_a_version_that_is_gone(self, uri, push, tamper):
        for text in "abc":
            push(uri, text)
        tamper(uri, "manifests/2.json", None)
        assert Registry(uri).rollback() == 1

    def test_serving_in_place_of_a_version_needs_that_version_to_be_served(self, uri, push):
        push(uri, "a")
        push(uri, "b", serve=False)
        assert not Registry(uri).serve_in_place_of(None, 2)
        assert Registry(uri).served() == 1
        assert Registry(uri).serve_in_place_of(1, 2)
        assert Registry(uri).served() == 2

    def test_the_served_version_is_a_plain_field_for_other_programs(self, uri, push):
        push(uri, "a")
        record = json.loads(open_storage(uri).read("served.json"))
        assert record["served"] == 1
        assert [change["version"] for change in record["history"]] == [1]


class TestLeftovers:
    def test_a_dead_push_is_cleared_away_by_the_next(self, local_uri, push, tamper):
        push(local_uri, "a")
        tamper(local_uri, "versions/2/saved_model.pb", b"its manifest was never written")
        tamper(local_uri, ".staging-push-dead/saved_model.pb", b"half")
        assert push(local_uri, "b").version == 3
        assert sorted(path.name for path in Path(local_uri, "versions").iterdir()) == ["1", "3"]
        assert not list(Path(local_uri).glob(".staging*"))

    def test_in_a_bucket_only_once_nobody_can_be_at_work_there(self, push, tamper, tmp_path):
        uri = f"memory://bucket-of-{tmp_path.name}/registry"
        push(uri, "a")
        tamper(uri, ".claims/versions-2", b"2020-01-01T00:00:00+00:00")
        tamper(uri, "versions/2/saved_model.pb", b"died long ago")
        tamper(uri, "versions/3/saved_model.pb", b"nobody's claim")
        push(uri, "b")
        push(uri, "c")
        assert open_storage(uri).names("versions") == ["1", "3", "4", "5"]

    def test_a_number_that_was_seen_is_never_given_to_another_model(self, local_uri, push, tamper):
        push(local_uri, "a")
        tamper(local_uri, "versions/2/saved_model.pb", b"its manifest was never written")
        push(local_uri, "a")
        assert push(local_uri, "b").version == 3
        for number in (1, 3):
            tamper(local_uri, f"manifests/{number}.json", None)
        assert push(local_uri, "c").version == 4


class TestCanary:
    def test_a_version_is_tried_out_beside_the_served_one_and_then_served(self, uri, push):
        push(uri, "a")
        push(uri, "b", serve=False)
        registry = Registry(uri)
        registry.start_canary(2, 10)
        assert (registry.labels(), registry.canary().percent) == ({"stable": 1, "canary": 2}, 10)
        assert registry.promote() == 2
        assert registry.labels() == {"stable": 2}
        assert registry.rollback() == 1

    def test_a_canary_that_is_given_up_is_withdrawn(self, uri, push):
        push(uri, "a")
        push(uri, "b", serve=False)
        registry = Registry(uri)
        registry.start_canary(2, 10)
        assert registry.abort_canary() == 2
        assert (registry.labels(), registry.withdrawn()) == ({"stable": 1}, (2,))

    def test_the_served_version_is_no_canary(self, uri, push):
        push(uri, "a")
        with pytest.raises(RegistryError, match="version 1 is already served"):
            Registry(uri).start_canary(1, 10)

    def test_nothing_is_tried_out_beside_nothing(self, uri, push):
        push(uri, "a", serve=False)
        with pytest.raises(RegistryError, match="serves no version"):
            Registry(uri).start_canary(1, 10)

    def test_a_version_that_is_not_there_is_no_canary(self, uri, push):
        push(uri, "a")
        with pytest.raises(UnknownVersionError, match="has no version 7"):
            Registry(uri).start_canary(7, 10)

    @pytest.mark.parametrize("change", ["promote", "abort_canary"])
    def test_without_a_canary_there_is_nothing_to_decide(self, uri, push, change):
        push(uri, "a")
        with pytest.raises(RegistryError, match="has no canary"):
            getattr(Registry(uri), change)()

    def test_a_damaged_version_is_neither_tried_out_nor_promoted(self, uri, push, tamper):
        push(uri, "a")
        push(uri, "b", serve=False)
        registry = Registry(uri)
        registry.start_canary(2, 10)
        tamper(uri, "versions/2/saved_model.pb", b"another")
        with pytest.raises(CorruptVersionError):
            registry.promote()
        assert registry.labels() == {"stable": 1, "canary": 2}
        with pytest.raises(CorruptVersionError):
            registry.start_canary(2, 20)
