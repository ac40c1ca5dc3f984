"""`python -m bot`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python looks for modules in the current folder first, which may be a stranger's clone: none of its may be taken.
    if not sys.flags.safe_path and Path(sys.path[0]).resolve() != Path(__file__).resolve().parent.parent:
        del sys.path[0]

    from bot.cli import main

    sys.exit(main(sys.argv[1:]))
