"""`openapi.yaml` beside the code: routes, codes and examples."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from configsvc.api.contract import read_contract
from tests.api.v1.catalogue import api_codes
from tests.api.v1.contract import Example, examples, operations, resolved, settle_the_scene, settled

CONTRACT: Any = read_contract()


def test_the_contract_has_every_route_and_no_other(app: Flask) -> None:
    routes = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(each.method.upper(), each.path) for each in operations()} == routes


def test_every_operation_is_named_once_and_says_what_it_does() -> None:
    names = [each.spec["operationId"] for each in operations()]
    assert len(set(names)) == len(names)
    assert all(each.spec["summary"] and each.spec["tags"] for each in operations())


def test_every_link_leads_to_an_operation_and_names_its_parameters() -> None:
    known = {each.spec["operationId"]: {p["name"] for p in each.parameters} for each in operations()}
    links = [
        link
        for each in operations()
        for response in each.spec["responses"].values()
        for link in resolved(response).get("links", {}).values()
    ]
    assert len(links) > 10
    for link in links:
        assert set(link["parameters"]) <= known[link["operationId"]]


def test_the_contract_has_every_error_code_and_no_other() -> None:
    assert CONTRACT["components"]["schemas"]["Code"]["enum"] == sorted(api_codes())


def test_the_responses_for_errors_name_every_code_that_a_call_can_answer() -> None:
    told = " ".join(response["description"] for response in CONTRACT["components"]["responses"].values())
    elsewhere = {"internal", "method-not-allowed", "host-unknown", "request-timeout", "head-too-large"}
    elsewhere |= {"http-version-unsupported", "not-implemented", "rate-exceeded"}
    assert {code for code in api_codes() - elsewhere if f"`{code}`" not in told} == set()


EXAMPLES = list(examples())


def test_there_are_examples_of_most_calls() -> None:
    assert len({str(example.operation) for example in EXAMPLES}) >= 20


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_every_example_is_answered_as_the_contract_shows(client: FlaskClient, example: Example) -> None:
    settle_the_scene(client)
    response = example.send(client)
    if example.answer is None:
        assert response.status_code < 300, response.text
        return
    status, kind, expected = example.answer
    assert (response.status_code, response.mimetype) == (status, kind), response.text
    found = json.loads(response.data) if kind.endswith("json") else response.text
    assert settled(found) == settled(expected)


@pytest.mark.parametrize("example", [each for each in EXAMPLES if each.answer is not None], ids=str)
def test_every_example_of_an_answer_has_the_form_that_the_contract_gives(example: Example) -> None:
    assert example.answer is not None
    status, kind, value = example.answer
    schema = resolved(example.operation.spec["responses"][str(status)])["content"][kind]["schema"]
    Draft202012Validator({**schema, "components": CONTRACT["components"]}).validate(value)
