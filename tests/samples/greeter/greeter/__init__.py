"""Greetings for every occasion."""

from greeter.greet import farewell, greet

__all__ = ["farewell", "greet"]
