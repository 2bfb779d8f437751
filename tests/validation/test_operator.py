from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

from configsvc.core.errors import ConfigError, SchemaTooSlow, Unavailable
from configsvc.core.reports import Violation
from configsvc.validation.compiled import check_schema
from configsvc.validation.operator import INTERVAL_S, OperatorSchemas
from configsvc.validation.schemas import Schema, find_schemas
from tests.validation.schema_files import as_bytes


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def tick(self) -> None:
        self.now_s += INTERVAL_S


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path / "schemas", "web.json", {"required": ["a"]})
    return tmp_path / "schemas"


def put(folder: Path, path: str, value: object) -> None:
    """Replace a file in one step, as an operator should."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(".new")
    temporary.write_bytes(as_bytes(value))
    temporary.replace(target)


def unreadable(*_: object) -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def governing(schemas: OperatorSchemas, service: str) -> list[str]:
    return [schema.name for schema in find_schemas(service, schemas.source())]


def content(schemas: OperatorSchemas, path: str = "web.json") -> bytes | None:
    return schemas.source().read(path)


def test_the_folder_is_looked_up_like_the_repository(folder: Path, clock: Clock) -> None:
    put(folder, "_default.json", {})
    put(folder, "payments/_default.json", {})
    put(folder, "README.md", b"# schemas")
    schemas = OperatorSchemas(folder, clock=clock)
    assert governing(schemas, "web") == ["schemas/web.json", "schemas/_default.json"]
    assert governing(schemas, "payments/api") == ["schemas/payments/_default.json", "schemas/_default.json"]
    assert schemas.violations == ()


def test_a_folder_that_is_missing_holds_no_schemas_until_it_is_there(tmp_path: Path, clock: Clock) -> None:
    schemas = OperatorSchemas(tmp_path / "schemas", clock=clock)
    assert governing(schemas, "web") == []
    assert schemas.violations == ()
    put(tmp_path / "schemas", "web.json", {})
    clock.tick()
    assert governing(schemas, "web") == ["schemas/web.json"]


def test_changes_are_taken_when_the_interval_is_over_and_not_before(folder: Path, clock: Clock) -> None:
    schemas = OperatorSchemas(folder, clock=clock)
    before = content(schemas)
    put(folder, "web.json", {"required": ["b"]})
    clock.now_s += INTERVAL_S * 0.9
    assert content(schemas) == before
    clock.now_s += INTERVAL_S * 0.2
    assert content(schemas) == as_bytes({"required": ["b"]})


def test_a_file_of_the_same_size_and_time_is_seen_to_be_another_one(folder: Path, clock: Clock) -> None:
    schemas = OperatorSchemas(folder, clock=clock)
    content(schemas)
    status = (folder / "web.json").stat()
    put(folder, "web.json", {"required": ["b"]})
    os.utime(folder / "web.json", ns=(status.st_atime_ns, status.st_mtime_ns))
    clock.tick()
    assert content(schemas) == as_bytes({"required": ["b"]})


def test_a_removed_file_governs_no_more(folder: Path, clock: Clock) -> None:
    schemas = OperatorSchemas(folder, clock=clock)
    governing(schemas, "web")
    (folder / "web.json").unlink()
    clock.tick()
    assert governing(schemas, "web") == []
    assert schemas.violations == ()


def test_a_state_that_was_handed_out_does_not_change(folder: Path, clock: Clock) -> None:
    schemas = OperatorSchemas(folder, clock=clock)
    source = schemas.source()
    before = source.read("web.json")
    put(folder, "web.json", {})
    clock.tick()
    assert schemas.source() is not source
    assert source.read("web.json") == before


@pytest.mark.parametrize(
    "broken", [b"", b"{", {"type": "int"}, {"$ref": "http://127.0.0.1:1/"}, {"$ref": "gone.json"}]
)
def test_a_folder_that_has_become_broken_leaves_what_was_in_force(
    folder: Path, clock: Clock, broken: object, caplog: pytest.LogCaptureFixture
) -> None:
    schemas = OperatorSchemas(folder, clock=clock)
    before = content(schemas)
    put(folder, "web.json", broken)
    put(folder, "other.json", {})
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            clock.tick()
            assert content(schemas) == before
    assert governing(schemas, "other") == []
    assert {violation.path for violation in schemas.violations} == {"schemas/web.json"}
    assert len(caplog.records) == 1
    put(folder, "web.json", {})
    clock.tick()
    assert content(schemas) == b"{}"
    assert schemas.violations == ()


def test_a_folder_that_is_gone_leaves_what_was_in_force(folder: Path, clock: Clock) -> None:
    schemas = OperatorSchemas(folder, clock=clock)
    before = content(schemas)
    folder.rename(folder.with_name("elsewhere"))
    clock.tick()
    assert content(schemas) == before
    assert [violation.path for violation in schemas.violations] == ["schemas"]
    folder.with_name("elsewhere").rename(folder)
    clock.tick()
    assert content(schemas) == before
    assert schemas.violations == ()


def test_a_schema_that_is_broken_at_the_start_is_told_and_stays_to_refuse(folder: Path, clock: Clock) -> None:
    put(folder, "web.json", {"type": "int"})
    schemas = OperatorSchemas(folder, clock=clock)
    assert governing(schemas, "web") == ["schemas/web.json"]
    assert [violation.pointer for violation in schemas.violations] == ["/type"]


def test_a_folder_that_cannot_be_read_at_the_start_lets_nothing_pass_until_it_can(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, "web.json", {"type": "int"})
    schemas = OperatorSchemas(folder, clock=clock)
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", unreadable)
        with pytest.raises(Unavailable, match="operator schemas: cannot be read: Permission denied"):
            schemas.source()
        assert [str(violation) for violation in schemas.violations] == [
            "schemas: cannot be read: Permission denied"
        ]
    assert governing(schemas, "web") == ["schemas/web.json"]
    assert [violation.pointer for violation in schemas.violations] == ["/type"]


def test_what_workers_cannot_check_leaves_what_was_in_force(folder: Path, clock: Clock) -> None:
    troubles: list[ConfigError] = [SchemaTooSlow("takes long"), Unavailable("no worker")]

    def check(schema: Schema) -> list[Violation]:
        if b"required" in schema.files["web.json"]:
            return []
        raise troubles[0]

    schemas = OperatorSchemas(folder, check=check, clock=clock)
    before = content(schemas)
    put(folder, "web.json", {})
    told = []
    while troubles:
        clock.tick()
        assert content(schemas) == before
        told += [str(violation) for violation in schemas.violations]
        del troubles[0]
        put(folder, "web.json", {})
    assert told == ["schemas/web.json: takes long", "schemas: cannot be checked: no worker"]


def test_links_that_lead_in_a_circle_are_left_alone(folder: Path, clock: Clock) -> None:
    (folder / "circle").symlink_to(folder, target_is_directory=True)
    schemas = OperatorSchemas(folder, clock=clock)
    assert governing(schemas, "web") == ["schemas/web.json"]


def test_a_file_that_could_govern_nothing_is_told(folder: Path, clock: Clock) -> None:
    put(folder, "Web.JSON", {})
    schemas = OperatorSchemas(folder, clock=clock)
    schemas.source()
    (found,) = schemas.violations
    assert str(found).startswith("schemas/Web.JSON: name: governs nothing")


def test_a_folder_that_did_not_change_is_not_checked_again(folder: Path, clock: Clock) -> None:
    checked = []

    def check(schema: Schema) -> list[Violation]:
        checked.append(schema.name)
        return check_schema(schema)

    schemas = OperatorSchemas(folder, check=check, clock=clock)
    for _ in range(3):
        schemas.source()
        clock.tick()
    assert checked == ["schemas/web.json"]
