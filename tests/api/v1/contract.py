"""The contract as tests read it: operations, and requests made of their examples."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from configsvc.api.contract import read_contract
from tests.api.v1.calls import YAML, patch, put, put_schema

METHODS = ("get", "put", "post", "patch", "delete")
PAYMENTS = "# limits are in euro\ncurrency: EUR\nlimits:\n  daily: 1000\n"
PAYMENTS_SCHEMA = {
    "type": "object",
    "properties": {
        "currency": {"description": "an ISO 4217 code", "type": "string", "pattern": "^[A-Z]{3}$"},
        "limits": {"type": "object", "properties": {"daily": {"type": "integer", "minimum": 1}}},
    },
}
# What differs from run to run: times.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def settle_the_scene(client: FlaskClient) -> None:
    """Make the repository that the examples are of: revision 5."""
    put(client, "nginx", '{"listen": 80, "workers": 2}')
    put(client, "payments/api", PAYMENTS, YAML)
    patch(client, "nginx", {"workers": 4})
    assert put_schema(client, "payments/api", PAYMENTS_SCHEMA).status_code == 200


@dataclass(frozen=True)
class Operation:
    """One call of the contract."""

    method: str
    path: str
    spec: Mapping[str, Any] = field(repr=False)
    parameters: tuple[Mapping[str, Any], ...] = field(repr=False)

    def __str__(self) -> str:
        return str(self.spec["operationId"])


@dataclass(frozen=True)
class Example:
    """A request of the contract, and the answer to it where the contract has one.

    Args:
        sent: Type and value of the body.
        answer: Status, type and body.
    """

    operation: Operation
    name: str
    sent: tuple[str, Any] | None
    answer: tuple[int, str, Any] | None

    def __str__(self) -> str:
        return f"{self.operation} {self.name}"

    def send(self, client: FlaskClient) -> TestResponse:
        """Send the request."""
        path, query, headers = self.operation.path, {}, {}
        for parameter in self.operation.parameters:
            name, value = parameter["name"], _value(parameter, self.name)
            if value is None:
                continue
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", quote(str(value), safe="/"))
            elif parameter["in"] == "query":
                query[name] = str(value)
            else:
                headers[name] = str(value)
        kind, data = None, None
        if self.sent is not None:
            kind, value = self.sent
            data = value if isinstance(value, str) else json.dumps(value)
        if self.answer is not None:
            headers["Accept"] = self.answer[1]
        return client.open(
            path,
            method=self.operation.method.upper(),
            query_string=query,
            data=data,
            content_type=kind,
            headers=headers,
        )


def resolved(node: Any) -> Any:
    """Return what a node of the contract is, behind its references."""
    while isinstance(node, dict) and "$ref" in node:
        found: Any = read_contract()
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def operations() -> Iterator[Operation]:
    """Yield all calls of the contract."""
    paths: Any = read_contract()["paths"]
    for path, item in paths.items():
        for method in METHODS:
            if method in item:
                given = [
                    resolved(each)
                    for each in (*item.get("parameters", ()), *item[method].get("parameters", ()))
                ]
                known = {(each["in"], each["name"]): each for each in given}
                yield Operation(method, path, item[method], tuple(known.values()))


def examples() -> Iterator[Example]:
    """Yield every example of the contract."""
    for operation in operations():
        sent: dict[str, tuple[str, Any]] = {}
        body = resolved(operation.spec.get("requestBody", {}))
        for kind, media in body.get("content", {}).items():
            sent |= {name: (kind, example["value"]) for name, example in media.get("examples", {}).items()}
        answers: dict[tuple[str, str], tuple[int, str, Any]] = {}
        for status, response in operation.spec["responses"].items():
            for kind, media in resolved(response).get("content", {}).items():
                for name, example in media.get("examples", {}).items():
                    assert (name, kind) not in answers
                    answers[name, kind] = (int(status), kind, example.get("value"))
        named = {name for each in operation.parameters for name in each.get("examples", {})}
        for name in sorted({*sent, *named} - {name for name, _ in answers}):
            if name in sent or not body:
                yield Example(operation, name, sent.get(name), None)
        for (name, _), answer in answers.items():
            yield Example(operation, name, sent.get(name), answer)


def settled(value: Any) -> Any:
    """Return a body without what differs from run to run."""
    if isinstance(value, str):
        return _TIME.sub("TIME", value)
    return json.loads(_TIME.sub("TIME", json.dumps(value)))


def _value(parameter: Mapping[str, Any], name: str) -> Any:
    named = parameter.get("examples", {}).get(name)
    return parameter.get("example") if named is None else named["value"]
