"""import and export, and what archives may not do."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from configsvc.cli import importing
from configsvc.cli.transfer import sources
from configsvc.cli.transfer.destinations import open_destination
from configsvc.cli.transfer.sources import read_source
from configsvc.client import DocumentText
from configsvc.core.errors import ConfigError, NameInvalid, RequestInvalid
from tests.cli.conftest import On

FILES = {"a/x.yaml": "# euro\nn: 1\n", "a/b/y.json": '{\n  "n": 2\n}\n'}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def read(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def plain(name: str, data: bytes = b"{}") -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), data


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out", "out.tar", "out.tar.gz", "out.tgz"])
def test_what_is_exported_is_imported_again(on: On, tmp_path: Path, name: str) -> None:
    top = "t" + name.replace(".", "-")
    files = {f"{top}/{path}": text for path, text in FILES.items()}
    source = write(tmp_path / "in", files | {"notes.txt": "x", ".git/config.json": "{"})
    assert on("import", source, "-m", "Move in") == 0
    assert on.out == f"{top}/a/b/y version 0\n{top}/a/x version 0\n"
    assert on("export", tmp_path / name, "--prefix", f"{top}/") == 0
    documents = read_source(str(tmp_path / name))
    assert [(each.service, each.text) for each in documents] == [
        (path.rpartition(".")[0], files[path])
        for path in sorted(files, key=lambda path: path.rpartition(".")[0])
    ]
    assert on("import", tmp_path / name) == 0
    assert on.out == ""
    assert "2 documents, 0 changed" in on.err


@pytest.mark.slow
def test_dry_runs_change_nothing(on: On, tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"dry-import/x.yaml": "n: 1\n"})
    assert on("import", source, "--dry-run") == 0
    assert on.out == "dry-import/x version 0\n"
    assert on("get", "dry-import/x") == 3
    on("import", source)
    assert on("export", tmp_path / "out", "--prefix", "dry-import/", "--dry-run") == 0
    assert on.out == "dry-import/x.yaml version 0\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_an_archive_goes_through_pipes_and_loses_the_folders_that_it_should(on: On) -> None:
    data = gzip.compress(archive(plain("./top/piped/x.yaml", b"n: 1\n")))
    assert on("import", "-", "--strip", "1", stdin=data) == 0
    assert on.out == "piped/x version 0\n"


@pytest.mark.slow
def test_many_documents_are_several_commits_and_a_refusal_says_what_was_taken(
    on: On, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MAX_COMMIT_DOCUMENTS", 2)
    files = {f"held/many{number}.json": '{"timeout_s": 1}' for number in range(5)}
    files["held/many3.json"] = '{"timeout_s": "x"}'
    assert on("import", write(tmp_path / "in", files)) == 1
    assert "2 of 5 documents were taken before that" in on.err
    assert "/timeout_s" in on.err
    assert on("get", "held/many2") == 3


@pytest.mark.slow
def test_a_document_that_is_refused_is_named(on: On, tmp_path: Path) -> None:
    files = {"named/a.yaml": "n: 1\n", "named/b.yaml": "n: [\n", "named/c.yaml": "n: 1\n"}
    assert on("import", write(tmp_path / "in", files)) == 2
    assert "named/b:2:1: " in on.err
    assert on("get", "named/a") == 3


@pytest.mark.slow
def test_an_import_that_is_interrupted_says_what_was_taken(
    on: On, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(items: Iterable[object], *_: object) -> Iterator[object]:
        yield next(iter(items))
        raise KeyboardInterrupt

    monkeypatch.setattr(importing, "MAX_COMMIT_DOCUMENTS", 1)
    source = write(tmp_path / "in", {"half/a.yaml": "n: 1\n", "half/b.yaml": "n: 1\n"})
    with monkeypatch.context() as patched:
        patched.setattr(importing, "with_progress", interrupted)
        assert on("import", source) == 1
    assert "1 of 2 documents were taken before that" in on.err
    assert on("import", source) == 0
    assert on.out == "half/b version 0\n"


def test_an_export_goes_over_nothing_unasked(tmp_path: Path) -> None:
    write(tmp_path / "out", {"x.txt": "mine"})
    (tmp_path / "out.tar").write_text("mine")
    for name in ("out", "out.tar"):
        with (
            pytest.raises(RequestInvalid, match="--overwrite"),
            open_destination(str(tmp_path / name), overwrite=False),
        ):
            pass
    assert read(tmp_path) == {"out/x.txt": "mine", "out.tar": "mine"}


def test_an_empty_path_is_not_the_folder_that_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(RequestInvalid, match="DESTINATION: ''"),
        open_destination("", overwrite=True),
    ):
        pass
    with pytest.raises(RequestInvalid, match="SOURCE: ''"):
        read_source("")


@pytest.mark.parametrize("service", ["../x", "/etc/x", "a/../../x", "X", "a/.git/x"])
def test_a_name_that_a_server_makes_up_becomes_no_path(tmp_path: Path, service: str) -> None:
    document = DocumentText(service, "{}", "json", 0, 1, "")
    with open_destination(str(tmp_path / "out"), overwrite=False) as out, pytest.raises(NameInvalid):
        out.add(document, "2026-01-01T00:00:00Z")
    assert read(tmp_path) == {}


def test_a_service_whose_format_changed_has_one_file_after_the_next_export(tmp_path: Path) -> None:
    for format_, text in (("yaml", "n: 1\n"), ("json", "{}")):
        with open_destination(str(tmp_path), overwrite=True) as out:
            out.add(DocumentText("a/x", text, format_, 0, 1, ""), "2026-01-01T00:00:00Z")
    assert read(tmp_path) == {"a/x.json": "{}"}
    assert [each.text for each in read_source(str(tmp_path))] == ["{}"]


def test_an_export_follows_no_link_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "elsewhere")
    document = DocumentText("a/x", "{}", "json", 0, 1, "")
    with (
        open_destination(str(tmp_path / "out"), overwrite=True) as out,
        pytest.raises(RequestInvalid, match="symbolic link"),
    ):
        out.add(document, "2026-01-01T00:00:00Z")
    assert read(tmp_path / "elsewhere") == {}


def test_an_archive_that_is_not_finished_is_not_there(tmp_path: Path) -> None:
    def export(*services: str) -> None:
        with open_destination(str(tmp_path / "out.tgz"), overwrite=False) as out:
            for service in services:
                out.add(DocumentText(service, "{}", "json", 0, 1, ""), "2026-01-01T00:00:00Z")

    with pytest.raises(NameInvalid):
        export("a/x", "../x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"no archive at all", "tar archive"),
        (b"", "tar archive"),
        (b"\x1f\x8bno gzip", "cannot be read"),
        (gzip.compress(archive(plain("a.json", b"{}" * 3000)), mtime=0)[:-30], "cannot be read"),
        (archive(plain("../a.json")), "not a service name"),
        (archive(plain("/etc/a.json")), "not a service name"),
        (archive(plain("A.json")), "not a service name"),
        (archive(plain("a.yml")), "expected: .yaml"),
        (archive(plain("a.json"), plain("./a.json")), "twice"),
        (archive(plain("a.json"), plain("a.yaml")), "twice"),
        (archive(plain("a.json", b"\xff")), "UTF-8"),
    ],
    ids=lambda value: None if isinstance(value, str) else "archive",
)
def test_an_archive_that_is_wrong_is_told(tmp_path: Path, data: bytes, told: str) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(ConfigError, match=told):
        read_source(str(tmp_path / "x.tar"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_an_archive_of_links_and_devices_is_refused(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("a.json")
    member.type, member.linkname = kind, "/etc/passwd"
    (tmp_path / "x.tar").write_bytes(archive((member, b"")))
    with pytest.raises(RequestInvalid, match="no plain file"):
        read_source(str(tmp_path / "x.tar"))


@pytest.mark.parametrize("name", ["a.json", "bomb.bin"])
def test_an_archive_that_unpacks_to_more_than_it_may_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sources, "MAX_TOTAL_BYTES", 1 << 20)
    (tmp_path / "x.tgz").write_bytes(gzip.compress(archive(plain(name, b" " * (4 << 20)))))
    with pytest.raises(RequestInvalid, match="more than"):
        read_source(str(tmp_path / "x.tgz"))


def test_a_folder_with_links_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"secret.json": "{}", "in/a.json": "{}"})
    (tmp_path / "in" / "b.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(RequestInvalid, match="symbolic link"):
        read_source(str(tmp_path / "in"))


@pytest.mark.parametrize("name", ["A.json", "x.yml", "a.json.yaml", "con.json"])
def test_a_file_that_looks_like_a_document_and_is_none_is_told(tmp_path: Path, name: str) -> None:
    write(tmp_path, {name: "{}"})
    with pytest.raises(RequestInvalid):
        read_source(str(tmp_path))


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RequestInvalid, match="cannot be read: No such file"):
        read_source(str(tmp_path / "none"))
