"""Tests that need a browser, or minutes: `make test-host`."""
