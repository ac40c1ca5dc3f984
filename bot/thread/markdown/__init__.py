"""Markdown of strangers: read as its page shows it (`page`), and quoted so that it has no effect in our
own comments (`quote`)."""
