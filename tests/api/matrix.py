"""Every route x method, and what it answers to whom."""

from __future__ import annotations

WHO = (
    "no token",
    "bad token",
    "reader here",
    "reader elsewhere",
    "writer here",
    "writer elsewhere",
    "admin",
    "expired",
    "revoked",
)
NO_CREDENTIAL = {"no token": 401, "bad token": 401, "expired": 401, "revoked": 401}
SECRET = "very-secret-value"

ELSEWHERE = {"reader elsewhere": 404, "writer elsewhere": 404}
READ = {"reader here": 200, "writer here": 200, "admin": 200, **ELSEWHERE}
WRITE = {"reader here": 403, "writer here": 200, "admin": 200, **ELSEWHERE}
TOLD = {"reader here": 204, "writer here": 204, "admin": 204, **ELSEWHERE}
ADMINISTER = {"reader here": 403, "writer here": 403, "admin": 200, **ELSEWHERE}
ADMIN_ALONE = dict.fromkeys(READ, 404) | {"admin": 200}
LIST = dict.fromkeys(READ, 200)
PUBLIC = dict.fromkeys(WHO, 200)

V1 = "/api/v1"
ONE = f"{V1}/configs/<service:service>"
SCHEMA = f"{V1}/schemas/<service:service>"
PRINCIPAL = f"{V1}/principals/<name>"
# Route and method to the status for everyone who has a credential.
MATRIX: dict[tuple[str, str], dict[str, int]] = {
    ("/", "GET"): PUBLIC,
    ("/openapi.json", "GET"): PUBLIC,
    ("/docs", "GET"): PUBLIC,
    ("/docs/<file>", "GET"): PUBLIC,
    ("/healthz", "GET"): PUBLIC,
    ("/readyz", "GET"): PUBLIC,
    ("/metrics", "GET"): ADMIN_ALONE,
    ("/config", "GET"): READ,
    ("/config", "POST"): WRITE,
    ("/config", "PATCH"): WRITE,
    ("/config", "DELETE"): WRITE,
    (f"{V1}/configs", "GET"): LIST,
    (ONE, "GET"): READ,
    (ONE, "PUT"): WRITE,
    (ONE, "PATCH"): WRITE,
    (ONE, "DELETE"): WRITE,
    (f"{ONE}/-/versions", "GET"): READ,
    (f"{ONE}/-/versions/<version>", "GET"): READ,
    (f"{ONE}/-/diff", "GET"): READ,
    (f"{ONE}/-/rollback", "POST"): WRITE,
    (f"{ONE}/-/rejections", "POST"): TOLD,
    (f"{ONE}/-/meta", "GET"): READ,
    (f"{ONE}/-/meta", "PATCH"): WRITE,
    (f"{V1}/commits", "GET"): LIST,
    (f"{V1}/commits", "POST"): WRITE | {"reader elsewhere": 403},  # may write nothing
    (f"{V1}/commits/<service:commit_id>", "GET"): READ,
    (f"{V1}/validate", "POST"): READ,
    (f"{V1}/watch", "GET"): READ,
    (f"{V1}/schemas", "GET"): LIST,
    (SCHEMA, "GET"): READ,
    (SCHEMA, "PUT"): ADMINISTER,
    (SCHEMA, "DELETE"): ADMINISTER,
    (f"{SCHEMA}/-/default", "GET"): READ,
    (f"{SCHEMA}/-/default", "PUT"): ADMINISTER,
    (f"{SCHEMA}/-/default", "DELETE"): ADMINISTER,
    (f"{V1}/schemas/-/default", "GET"): ADMIN_ALONE,
    (f"{V1}/schemas/-/default", "PUT"): ADMIN_ALONE,
    (f"{V1}/schemas/-/default", "DELETE"): ADMIN_ALONE,
}
MATRIX |= {
    (f"{V1}/principals", "GET"): ADMIN_ALONE,
    (f"{V1}/principals", "POST"): ADMIN_ALONE,
    (PRINCIPAL, "GET"): ADMIN_ALONE,
    (PRINCIPAL, "DELETE"): ADMIN_ALONE,
    (f"{PRINCIPAL}/-/rotate", "POST"): ADMIN_ALONE,
    (f"{PRINCIPAL}/-/tokens/<token_id>", "DELETE"): ADMIN_ALONE,
}
ABOUT_ONE = [key for key, row in MATRIX.items() if row in (READ, WRITE, TOLD, ADMINISTER)]
BODIES: dict[tuple[str, str], object] = {
    ("/config", "POST"): {"v": SECRET},
    ("/config", "PATCH"): {"v": "other"},
    (ONE, "PUT"): {"v": "other"},
    (ONE, "PATCH"): {"v": "other"},
    (f"{ONE}/-/rollback", "POST"): {"version": 0},
    (f"{ONE}/-/rejections", "POST"): {"version": 0},
    (f"{ONE}/-/meta", "PATCH"): {"description": "x"},
    (f"{V1}/validate", "POST"): {"v": 1},
    (SCHEMA, "PUT"): {},
    (f"{SCHEMA}/-/default", "PUT"): {},
    (f"{V1}/schemas/-/default", "PUT"): {},
    (f"{V1}/principals", "POST"): {"name": "new", "roles": {}, "token": {"sha256": "0" * 64}},
    (f"{PRINCIPAL}/-/rotate", "POST"): {"token": {"sha256": "0" * 64}},
}
DONE = {
    ("/config", "POST"): 422,
    ("/config", "DELETE"): 422,
    (ONE, "DELETE"): 409,
    (f"{V1}/principals", "POST"): 201,
}
"""What who may gets all the same: the service exists already, and is enabled."""
