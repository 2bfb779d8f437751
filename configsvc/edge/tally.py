"""What is answered straight to the network, told to log, metrics and cache once a turn of the event loop."""

from __future__ import annotations

import asyncio

from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.known import Decided


class Tally:
    """Counts answers: a turn gives many, often the same, and to tell of one costs more than to give it.

    It is told before the loop looks for the next requests, so that who has an answer finds it counted.
    Used by the event loop only.
    """

    def __init__(self, hot: HotAnswerer) -> None:
        self._hot = hot
        self._counted: list[Decided] = []

    def count(self, decided: Decided) -> None:
        """Count an answer."""
        if not decided.answered:
            if not self._counted:
                asyncio.get_running_loop().call_soon(self.tell)
            self._counted.append(decided)
        decided.answered += 1

    def tell(self) -> None:
        """Tell what was counted."""
        counted, self._counted = self._counted, []
        for decided in counted:
            times, decided.answered = decided.answered, 0
            self._hot.note_ready(decided.request.target, decided.line, decided.status, times)
