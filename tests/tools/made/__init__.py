"""Repositories that are made from a seed, for records and golden files: the same bytes on every
machine."""
