"""``python -m lemmascope``: the command, of this interpreter."""

from lemmascope.cli.main import main

main()
