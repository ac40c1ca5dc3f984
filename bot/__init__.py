"""TinyGen: a self-hosted GitHub App that turns a comment into a diff or a pull request."""

__version__ = "0.1.0"
