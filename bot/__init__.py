"""TinyGen: a self-hosted GitHub App that turns a comment into a diff or a pull request."""

INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells count it: 128 and the number of the signal."""
