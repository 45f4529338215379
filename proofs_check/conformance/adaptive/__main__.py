"""``python -m lemmascope.proofs_check.conformance.adaptive FILE.json [LIBRARY …]``: identify what the page shows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lemmascope.proofs_check.conformance.adaptive import known, table
from lemmascope.proofs_check.conformance.known import installed
from lemmascope.sims.files import rewrite


def main(arguments: list[str]) -> int:
    """Identify the optimizers of the libraries, or of all that are installed, and write what is found."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    libraries = arguments[1:] or [name for name in known.LIBRARIES if installed(name)]
    shown = [one for name in libraries for one in known.shown(name)]
    found = table.examine(shown, progress=lambda name: print(name, flush=True))
    text = json.dumps(table.as_json(found, libraries=libraries), ensure_ascii=False, indent=1)
    rewrite(Path(arguments[0]), (text + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
