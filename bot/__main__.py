"""`python -m bot`, and `tinygen` where it is installed."""

import os
import sys

from bot import INTERRUPTED


def start() -> int:
    """Runs the command that the process was called with. Returns its exit status.

    Ctrl-C and a reader that has gone, such as `head`, end it without a word, also while modules are
    still imported."""
    try:
        from bot.cli import main

        try:
            return main(sys.argv[1:])
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        import signal

        # From now on a second Ctrl-C ends the process at once.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        return INTERRUPTED
    except BrokenPipeError:
        _leave_streams()
        return 1


def _leave_streams() -> None:
    """Python flushes both at its end, and would report that nobody reads them:
    https://docs.python.org/3/library/signal.html#note-on-sigpipe"""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


if __name__ == "__main__":
    # Python looks for modules in the current folder first, which may be a stranger's clone: none of
    # its may be taken. What is ours is found by the package, and nothing is imported before but
    # what Python imports at its own start.
    if not sys.flags.safe_path:
        del sys.path[0]

    sys.exit(start())
