"""Programs through which events come in: the HTTP edge, the simulator, and a function to publish from Python."""
