"""Pure: from a task to a change of the repository."""
