"""Tests that need a machine of their own, several Pythons, or minutes: `make test-host`."""
