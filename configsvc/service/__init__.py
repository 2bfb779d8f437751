"""The one write path and the reads: what the doors (API, git, console) call.

    request -> parse (documents) -> changes -> plan (planning) -> store.submit -> Outcome

Plain Python: no HTTP, no git.
"""

from configsvc.service.changes import Ask, Existence
from configsvc.service.service import ConfigService, Preview, Receipt

__all__ = ["Ask", "ConfigService", "Existence", "Preview", "Receipt"]
