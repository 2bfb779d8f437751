"""All pushes that must not pass, by what they try."""

from __future__ import annotations

from tests.gitdoor.hostile.files import DOCUMENTS, LAYOUT, MODES, NAMES
from tests.gitdoor.hostile.history import HISTORY
from tests.gitdoor.hostile.refs import REFS
from tests.gitdoor.hostile.sizes import SIZES

KINDS = {
    "modes": MODES,
    "names": NAMES,
    "layout": LAYOUT,
    "documents": DOCUMENTS,
    "history": HISTORY,
    "sizes": SIZES,
    "refs": REFS,
}

CASES = {name: case for kind in KINDS.values() for name, case in kind.items()}
