"""One module per protocol clients speak: each turns a request into raw events and an outcome into its answer."""
