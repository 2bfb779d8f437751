"""How much all documents of one commit may hold together.

A text is one node of the body that it comes in, whatever it parses to, so the bound of the body
does not bound what reading the documents costs.
"""

from __future__ import annotations

from collections.abc import Iterator

from configsvc.core.errors import DocumentTooLarge

DOCUMENTS_WORTH = 3
"""How many documents of the greatest number of nodes may be in one commit."""


def commit_nodes(document_nodes: int) -> int:
    """Return the most nodes in all documents, patches and schemas of one commit.

    Args:
        document_nodes: Most in one document.
    """
    return DOCUMENTS_WORTH * document_nodes


class NodeBudget:
    """Counts the nodes of what has been read; keys count too, aliases as what they stand for.

    Args:
        most: Of a whole commit.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._spent = 0

    def spend(self, value: object) -> None:
        """Count a value that was read.

        Raises:
            DocumentTooLarge: There are more nodes now than there may be.
        """
        for count in _counts(value):
            self._spent += count
            if self._spent > self._most:
                raise DocumentTooLarge(
                    f"nodes: more than {self._most} in all documents of the commit "
                    f"(expected: <= {self._most}; send several commits)"
                )


def _counts(value: object) -> Iterator[int]:
    waiting = [value]
    while waiting:
        current = waiting.pop()
        yield 1
        if isinstance(current, dict):
            yield len(current)
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)
