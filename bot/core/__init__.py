"""What TinyGen decides, as pure functions of values. Nothing here touches the world: tests/test_house.py checks."""
