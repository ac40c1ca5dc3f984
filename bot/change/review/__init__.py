"""The review of a change by the model: what it is shown, how its answer is read, and what comes of
it."""
