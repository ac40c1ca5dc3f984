"""Stand-ins for the outside world that behave as it does: used by the tests, the demo and the
benchmarks."""
