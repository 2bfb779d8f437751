from __future__ import annotations

from configsvc.validation.layout import Kind, kind_of
from configsvc.validation.schemas import (
    MAX_FILES,
    REPOSITORY_FOLDER,
    Schema,
    find_schemas,
    governs,
    is_schema_path,
    lookup_paths,
    repository_source,
)
from tests.validation.schema_files import as_bytes, schema, source


def test_a_service_is_governed_by_its_own_schema_and_the_default_of_each_folder_above() -> None:
    assert lookup_paths("payments/eu/api") == (
        "payments/eu/api.json",
        "payments/eu/_default.json",
        "payments/_default.json",
        "_default.json",
    )
    assert lookup_paths("nginx") == ("nginx.json", "_default.json")


def test_all_schemas_that_exist_apply_nearest_first() -> None:
    files: dict[str, object] = {"_default.json": {}, "payments/api.json": {}, "payments/other.json": {}}
    found = find_schemas("payments/api", source(files))
    assert [each.name for each in found] == ["schemas/payments/api.json", "schemas/_default.json"]
    assert find_schemas("web", source({"payments/_default.json": {}})) == []


def test_every_file_of_the_repository_that_is_looked_up_is_asked_for_present_or_absent() -> None:
    asked = []
    files = {
        f"{REPOSITORY_FOLDER}/a/b.json": as_bytes({"$ref": "types.json", "not": {"$ref": "gone.json#/x"}}),
        f"{REPOSITORY_FOLDER}/a/types.json": b"{}",
    }

    def read(path: str) -> bytes | None:
        asked.append(path)
        return files.get(path)

    (found,) = find_schemas("a/b", repository_source(read))
    assert sorted(asked) == [
        f"{REPOSITORY_FOLDER}/{name}.json" for name in ("_default", "a/_default", "a/b", "a/gone", "a/types")
    ]
    assert sorted(found.files) == ["a/b.json", "a/types.json"]


def test_a_reference_that_leaves_the_folder_is_not_even_looked_up() -> None:
    asked = []

    def read(path: str) -> bytes | None:
        asked.append(path)
        outside = ["../../nginx.json", "/etc/passwd", "../services/web.yaml", "Types.json"]
        return (
            as_bytes({"allOf": [{"$ref": each} for each in outside]}) if path.endswith("web.json") else None
        )

    find_schemas("web", repository_source(read))
    assert asked == [f"{REPOSITORY_FOLDER}/web.json", f"{REPOSITORY_FOLDER}/_default.json"]


def test_the_id_of_a_schema_is_that_of_all_its_files() -> None:
    def made(port: int) -> Schema:
        return schema({"$ref": "types.json"}, types={"const": port})

    assert made(1) == made(1)
    assert made(1).schema_id != made(2).schema_id
    assert schema({}).schema_id == schema({}, unrelated={"const": 1}).schema_id


def test_files_that_refer_to_each_other_are_each_read_once() -> None:
    found = schema({"$ref": "types.json"}, types={"properties": {"a": {"$ref": "web.json"}}})
    assert sorted(found.files) == ["types.json", "web.json"]


def test_no_more_files_are_collected_than_a_schema_may_have() -> None:
    references = {"allOf": [{"$ref": f"t{number}.json"} for number in range(100)]}
    chained = {f"t{number}": {"$ref": f"t{number + 1}.json"} for number in range(100)}
    assert len(schema({"$ref": "t0.json"}, **chained).files) == MAX_FILES + 1
    assert len(schema(references, **chained).files) <= 101


def test_a_schema_may_be_where_the_layout_of_the_repository_has_one() -> None:
    paths = ["a.json", "a/_default.json", "_default.json", "a/b.json", "A.json", "_x.json", "a.yaml", "a", ""]
    kinds = [kind_of(f"{REPOSITORY_FOLDER}/{path}") is Kind.SCHEMA for path in paths]
    assert [is_schema_path(path) for path in paths] == kinds == [True] * 4 + [False] * 5


def test_a_schema_governs_what_its_look_up_finds() -> None:
    assert governs("payments/_default.json", "payments/eu/api")
    assert not governs("payments/eu.json", "payments/eu/api")
