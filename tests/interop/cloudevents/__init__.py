"""CloudEvents by the packages of the project itself, for Python and Node.js."""
