"""`python -m bot`."""

import sys

if __name__ == "__main__":
    # Python looks for modules in the current folder first, which may be a stranger's clone: none of
    # its may be taken. What is ours is found by the package, and nothing is imported before but
    # what Python imports at its own start.
    if not sys.flags.safe_path:
        del sys.path[0]

    from bot.cli import main

    sys.exit(main(sys.argv[1:]))
