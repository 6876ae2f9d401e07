"""The console process: the read-only schema registry, and work in the background that belongs to no pipeline stage."""
