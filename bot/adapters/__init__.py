"""One part of the outside world each, with its retries, timeouts and limits. Nothing here decides
anything."""
