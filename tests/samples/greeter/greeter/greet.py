"""What to say to people."""


def greet(name: str) -> str:
    """A greeting for `name`."""
    return "Hello, " + name.capitalize() + "!"


def farewell(name: str) -> str:
    """A farewell for `name`."""
    return "Goodbye, " + name.capitalize() + "!"
