"""Paths with a service's name in them."""

from __future__ import annotations

from werkzeug.routing import BaseConverter

PREFIX = "/api/v1"
COMMITS_PATH = f"{PREFIX}/commits"


class ServiceConverter(BaseConverter):
    """The name of a service, slashes and all, up to the `/-/` that separates what belongs to it.

    A path is decoded once before it gets here, so `%2F` is a slash.  Whether the name is in the grammar
    is for the call to say, so that the answer can tell why it is not.
    """

    regex = r"(?:(?!/-(?:/|\Z))[\s\S])+"
    part_isolating = False
