"""The rim: one outside thing per file, with its retries, timeouts and limits. Nothing here decides
anything."""
