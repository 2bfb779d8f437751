"""The project around the package: what its files promise to people and to pip."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
from pathlib import Path

import pytest

import configsvc

ROOT = Path(__file__).resolve().parent.parent
HOME_PATH = re.compile(rb"(?<![\w.~$/-])/(?:home|Users|root)/\w")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)


def tracked_files() -> list[Path]:
    """Return the files that git would hand to a clone, new ones included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name.decode() for name in listed.stdout.split(b"\0") if name)
    return sorted(path for path in paths if path.is_file())


def pages() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".md"]


def read_setup() -> configparser.ConfigParser:
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return setup


def requirements() -> list[str]:
    """Return every requirement of setup.cfg that is not another extra of this package."""
    extras = read_setup()["options.extras_require"].values()
    lines = [line.strip() for extra in extras for line in extra.splitlines()]
    return [line for line in lines if line and not line.startswith("configsvc[")]


def test_the_client_alone_needs_httpx_and_nothing_of_the_server() -> None:
    assert read_setup()["options"]["install_requires"].split() == ["httpx>=0.28,<1"]


@pytest.mark.parametrize("requirement", requirements())
def test_every_requirement_has_a_lower_and_an_upper_bound(requirement: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]+(>=[\d.]+,<[\d.]+|==\d+\.\d+\.\*)", requirement)


def test_the_http_server_is_held_to_one_minor_release() -> None:
    assert [line for line in requirements() if line.startswith("uvicorn")] == ["uvicorn==0.54.*"]


def test_the_changelog_has_a_place_for_what_comes_and_names_the_released_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert len(headings) == 1 or headings[1] == configsvc.__version__


def test_every_target_of_the_makefile_is_phony_and_says_what_it_does() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = TARGET.findall(text)
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == set(targets)
    assert {"setup", "run", "test", "fast", "lint", "bench", "soak", "clean", "help"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:.*## \S", text, re.MULTILINE), target


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_no_file_names_a_path_of_somebodys_home() -> None:
    named = [path for path in tracked_files() if HOME_PATH.search(path.read_bytes())]
    assert named == []


def test_every_decision_is_in_the_list_of_decisions() -> None:
    folder = ROOT / "docs" / "adr"
    listed = LINK.findall((folder / "README.md").read_text(encoding="utf-8"))
    written = sorted(path.name for path in folder.glob("0*.md"))
    assert written
    assert listed == written


def test_the_default_store_ships_with_nothing_but_its_page() -> None:
    shipped = [path for path in tracked_files() if path.is_relative_to(ROOT / "config-repo")]
    assert shipped == [ROOT / "config-repo" / "README.md"]


def test_the_example_schema_governs_only_a_service_of_the_examples() -> None:
    schemas = sorted((ROOT / "schemas").rglob("*.json"))
    assert [path.relative_to(ROOT / "schemas").parts[0] for path in schemas] == ["examples"]
    for path in schemas:
        assert json.loads(path.read_text(encoding="utf-8"))["$schema"].endswith("/2020-12/schema")


def test_the_package_is_marked_as_typed() -> None:
    assert (ROOT / "configsvc" / "py.typed").is_file()
    assert read_setup()["options.package_data"]["configsvc"].split() == ["py.typed"]
