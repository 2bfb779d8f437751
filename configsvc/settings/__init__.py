"""The server's settings: one frozen value, read once.

A setting is named by its field: `host_name` is the flag `--host-name`, the
variable `CONFIGSVC_HOST_NAME` and the key `host_name` of the settings file.
Flags win over the environment, the environment over the file, the file over
the defaults.  Relative paths start at the working directory, wherever they
were written.
"""

from __future__ import annotations

from configsvc.settings.model import MAX_COMMIT_BYTES, RULES, SettingRule, Settings
from configsvc.settings.parsing import Address, is_host
from configsvc.settings.sources import load_settings, unknown_variables

__all__ = [
    "MAX_COMMIT_BYTES",
    "RULES",
    "Address",
    "SettingRule",
    "Settings",
    "is_host",
    "load_settings",
    "unknown_variables",
]
