"""Pages about the user's own recordings: a list, a page for each, and a server for this machine alone."""
