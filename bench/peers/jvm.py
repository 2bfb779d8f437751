"""Config services that run on Java: Spring Cloud Config Server and Central Dogma, fetched by Maven.

Maven has the settings of who runs it, and its answer is kept in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.peers import free_port, is_there, running
from bench.repositories import git

ANYBODY = "Authorization: Bearer anonymous"
"""The header that Central Dogma wants where nobody has to log in."""
SPRING = "spring"
DOGMA = "dogma"

_FETCH_S = 300.0
_READY_S = 120.0
_HERE = Path(__file__).parent


def class_path(name: str) -> str | None:
    """Return the class path of `SPRING` or `DOGMA`, fetched at need.

    Returns:
        Nothing where Java or Maven is missing, or Maven cannot fetch it.
    """
    if not (is_there("java") and is_there("mvn")):
        return None
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "configsvc-bench" / name
    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(_HERE / f"{name}.xml", root / "pom.xml")
    kept = root / "class-path"
    command = ["mvn", "-q", "-B", "-f", str(root / "pom.xml"), "dependency:build-classpath"]
    command.append(f"-Dmdep.outputFile={kept}")
    try:
        subprocess.run(command, capture_output=True, check=True, timeout=_FETCH_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    return kept.read_text(encoding="utf-8").strip()


@contextlib.contextmanager
def spring(folder: Path, jars: str, body: bytes) -> Iterator[str]:
    """Keep `body` as what every application has, in a git repository; yield the URL of an environment."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    folder.joinpath("application.yml").write_bytes(body)  # JSON is YAML; it reads no .json
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "--quiet", "-m", "Add")
    port = free_port()
    options = (
        f"--server.port={port}",
        "--server.address=127.0.0.1",
        f"--spring.cloud.config.server.git.uri={folder.as_uri()}",
    )
    command = ("java", "-cp", jars, str(_HERE / "ConfigServer.java"), *options)
    with running(*command, port=port, ready_s=_READY_S):
        url = f"http://127.0.0.1:{port}/bench/default"
        with urllib.request.urlopen(url, timeout=_READY_S) as answer:
            if not json.load(answer)["propertySources"]:
                raise RuntimeError(f"{url}: no property sources (expected: the document)")
        yield url


@contextlib.contextmanager
def dogma(folder: Path, jars: str, body: bytes) -> Iterator[str]:
    """Keep `body` as a JSON file of a repository; yield the URL of reads, which need the header `ANYBODY`."""
    folder.mkdir(parents=True)
    port = free_port()
    settings = {
        "dataDir": str(folder / "data"),
        "ports": [{"localAddress": {"host": "127.0.0.1", "port": port}, "protocols": ["http"]}],
        "replication": {"method": "NONE"},
        "webAppEnabled": False,
        "mirroringEnabled": False,
    }
    folder.joinpath("dogma.json").write_text(json.dumps(settings), encoding="ascii")
    main = "com.linecorp.centraldogma.server.Main"
    command = ("java", "-cp", jars, main, "-config", str(folder / "dogma.json"))
    with running(*command, port=port, ready_s=_READY_S):
        projects = f"http://127.0.0.1:{port}/api/v1/projects"
        change = {"path": "/document.json", "type": "UPSERT_JSON", "content": json.loads(body)}
        _post(projects, {"name": "bench"})
        _post(f"{projects}/bench/repos", {"name": "config"})
        contents = f"{projects}/bench/repos/config/contents"
        _post(contents, {"commitMessage": {"summary": "Add"}, "changes": [change]})
        yield f"{contents}/document.json"


def _post(url: str, body: dict[str, Any]) -> None:
    name, _, value = ANYBODY.partition(": ")
    headers = {"Content-Type": "application/json", name: value}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            urllib.request.urlopen(request, timeout=_READY_S).close()
        except OSError:
            # It listens before it can write.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
