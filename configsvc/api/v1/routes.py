"""All routes of `/api/v1`."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, request

from configsvc.api.v1.commits import CommitsApi
from configsvc.api.v1.configs import PATCH_KINDS, ConfigsApi
from configsvc.api.v1.history import HistoryApi, parse_version
from configsvc.api.v1.listing import ListingApi
from configsvc.api.v1.meta import PATCH_TYPES, MetaApi
from configsvc.api.v1.paths import PREFIX
from configsvc.api.v1.principals import PrincipalsApi
from configsvc.api.v1.rejections import RejectionsApi
from configsvc.api.v1.schemas import SchemasApi
from configsvc.api.v1.validate import ValidateApi
from configsvc.api.v1.watch import WatchApi
from configsvc.service import ConfigService

View = Callable[..., Response]


def make_v1_blueprint(service: ConfigService, count_rejection: Callable[[], None]) -> Blueprint:
    """Return the blueprint of `/api/v1`; the application has `ServiceConverter` as `service`.

    Args:
        count_rejection: See `RejectionsApi`.
    """
    blueprint = Blueprint("v1", __name__, url_prefix=PREFIX)
    for path, views in _routes(service, RejectionsApi(service, count_rejection)).items():
        for method, view in views.items():
            blueprint.add_url_rule(path, f"{method} {path}".replace(".", ""), view, methods=[method])
    _name_patch_types(blueprint)
    return blueprint


def _routes(service: ConfigService, rejections: RejectionsApi) -> dict[str, dict[str, View]]:
    configs, history, meta = ConfigsApi(service), HistoryApi(service), MetaApi(service)
    commits, schemas, principals = CommitsApi(service), SchemasApi(service), PrincipalsApi(service)
    one = {"GET": schemas.get, "PUT": schemas.put, "DELETE": schemas.delete}
    default = {"GET": schemas.get_default, "PUT": schemas.put_default, "DELETE": schemas.delete_default}
    verbs: dict[str, View] = {"GET": configs.get, "PUT": configs.put}
    return {
        "/configs": {"GET": ListingApi(service).get},
        "/configs/<service:service>": verbs | {"PATCH": configs.patch, "DELETE": configs.delete},
        "/configs/<service:service>/-/versions": {"GET": history.list_versions},
        "/configs/<service:service>/-/versions/<version>": {
            "GET": lambda service, version: history.get_version(service, parse_version(version))
        },
        "/configs/<service:service>/-/diff": {"GET": history.get_diff},
        "/configs/<service:service>/-/rollback": {"POST": history.roll_back},
        "/configs/<service:service>/-/rejections": {"POST": rejections.post},
        "/configs/<service:service>/-/meta": {"GET": meta.get, "PATCH": meta.patch},
        "/commits": {"GET": commits.list_commits, "POST": commits.post},
        "/commits/<service:commit_id>": {"GET": commits.get},
        "/validate": {"POST": ValidateApi(service).post},
        "/watch": {"GET": WatchApi(service).get},
        "/schemas": {"GET": schemas.list_schemas},
        "/schemas/<service:service>": dict(one),
        "/schemas/<service:service>/-/default": dict(default),
        "/schemas/-/default": dict(default),
        "/principals": {"GET": principals.list_principals, "POST": principals.post},
        "/principals/<name>": {"GET": principals.get, "DELETE": principals.delete},
        "/principals/<name>/-/rotate": {"POST": principals.rotate},
        "/principals/<name>/-/tokens/<token_id>": {"DELETE": principals.revoke_token},
    }


def _name_patch_types(blueprint: Blueprint) -> None:
    """Say which patches a resource takes, where a client asks or has sent something else (RFC 5789)."""

    @blueprint.after_request
    def name_patch_types(response: Response) -> Response:
        is_asked = request.method == "OPTIONS" and "PATCH" in response.headers.get("Allow", "")
        if is_asked or (request.method == "PATCH" and response.status_code == 415):
            types = PATCH_TYPES if request.path.endswith("/-/meta") else PATCH_KINDS
            response.headers["Accept-Patch"] = ", ".join(types)
        return response
