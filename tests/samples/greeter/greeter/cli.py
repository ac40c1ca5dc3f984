"""The command line: `python -m greeter.cli NAME`."""

import sys

from greeter.greet import greet


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: greeter NAME", file=sys.stderr)
        return 2
    print(greet(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
