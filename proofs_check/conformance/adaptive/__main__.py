"""``python -m lemmascope.proofs_check.conformance.adaptive [LIBRARY …] > FILE.json``: identify what the page shows."""

from __future__ import annotations

import json
import sys

from lemmascope.proofs_check.conformance.adaptive import known, table
from lemmascope.proofs_check.conformance.known import installed


def main(arguments: list[str]) -> int:
    """Identify the optimizers of the libraries, or of all that are installed; what is found, on standard output."""
    libraries = arguments or [name for name in known.LIBRARIES if installed(name)]
    shown = [one for name in libraries for one in known.shown(name)]
    found = table.examine(shown, progress=lambda name: print(name, file=sys.stderr, flush=True))
    print(json.dumps(table.as_json(found, libraries=libraries), ensure_ascii=False, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
