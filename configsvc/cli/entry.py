"""Where the program `configsvc` begins: it is installed with the client too, which lacks its library."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit."""
    try:
        from configsvc.cli.main import main as run
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit("configsvc: click is not installed (expected: `pip install 'configsvc[cli]'`)")
    run()
