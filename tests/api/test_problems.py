from __future__ import annotations

import inspect
import json

import pytest

from configsvc.api.problems import STATUSES, Statuses, http_problem, problem_of, render
from configsvc.core import errors

CLASSES = [
    each
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, errors.ConfigError) and each.__module__ == errors.__name__
]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_class_has_a_status(error: type[errors.ConfigError]) -> None:
    assert error in STATUSES


def test_only_error_classes_have_a_status() -> None:
    assert set(STATUSES) == set(CLASSES)


@pytest.mark.parametrize("error", [each for each in CLASSES if STATUSES[each].api >= 500])
def test_a_server_error_says_try_again_or_is_none_that_a_request_can_cause(
    error: type[errors.ConfigError],
) -> None:
    outside_requests = (errors.RepositoryUnusable, errors.SettingInvalid)
    assert issubclass(error, (errors.Unavailable, *outside_requests)) or error is errors.ConfigError


def test_a_class_of_elsewhere_has_the_status_of_its_nearest_base() -> None:
    class Odd(errors.VersionDeleted):
        code = "odd"

    assert problem_of(Odd("x")).statuses == Statuses(410, 410)


def test_an_error_is_told_in_the_dialect_of_the_path() -> None:
    problem = problem_of(errors.PathConflict("nginx: is in the way"))
    seed, api = render(problem, "/config"), render(problem, "/api/v1/configs/nginx")
    assert (seed.status, api.status) == (422, 409)
    assert json.loads(seed.body) == {
        "details": [{"code": "path-conflict", "message": "nginx: is in the way"}],
        "error": 422,
        "message": "unprocessable",
        "success": False,
    }
    assert json.loads(api.body) == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "code": "path-conflict",
        "detail": "nginx: is in the way",
    }
    assert dict(seed.headers)["Content-Type"] == "application/json"
    assert dict(api.headers)["Content-Type"] == "application/problem+json"


def test_findings_are_told_in_both_dialects() -> None:
    findings: list[dict[str, object]] = [{"message": "no", "line": 3}, {"line": 4}]
    problem = problem_of(errors.DocumentInvalid("document: is none", findings))
    seed, api = json.loads(render(problem, "/config").body), json.loads(render(problem, "/x").body)
    assert seed["details"] == [{"message": "no", "line": 3}, {"message": "document: is none", "line": 4}]
    assert (api["details"], api["detail"]) == (findings, "document: is none")


@pytest.mark.parametrize("error", [errors.ServiceNotFound, errors.ServiceExists])
def test_where_the_original_said_nothing_more_nothing_more_is_said(error: type[errors.ConfigError]) -> None:
    assert "details" not in json.loads(render(problem_of(error("x")), "/config").body)


def test_an_error_that_passes_tells_when_to_try_again() -> None:
    assert dict(render(problem_of(errors.QueueFull("x")), "/config").headers)["Retry-After"] == "1"
    assert "Retry-After" not in dict(render(http_problem(400), "/config").headers)


@pytest.mark.parametrize(
    ("path", "is_seed"), [("/config", True), ("/config/x", True), ("/configs", False), ("/", False)]
)
def test_the_original_s_dialect_is_spoken_below_config_only(path: str, is_seed: bool) -> None:
    assert ("success" in json.loads(render(http_problem(404), path).body)) is is_seed


@pytest.mark.parametrize("status", [400, 404, 405, 408, 413, 415, 421, 422, 431, 500, 503, 505])
def test_every_status_has_a_code_of_its_own_and_words(status: int) -> None:
    seed, api = (json.loads(render(http_problem(status), path).body) for path in ("/config", "/"))
    assert seed["message"]
    assert api["title"]
    assert api["code"] == api["code"].lower()
    assert " " not in api["code"]
