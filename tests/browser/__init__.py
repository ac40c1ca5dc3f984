"""Tests of the pages in a browser (Debian's chromium): `make test-browser`."""
