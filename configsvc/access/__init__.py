"""Who may do what: principals from the repository, their credentials, and the one decision."""

from __future__ import annotations
