"""Tools that hold two versions of the bot against each other."""
