from greeter import farewell, greet


def test_a_greeting_names_the_person() -> None:
    assert greet("ada") == "Hello, Ada!"


def test_a_farewell_names_the_person() -> None:
    assert farewell("ada") == "Goodbye, Ada!"
