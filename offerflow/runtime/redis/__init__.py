"""The Redis adapter: the fold of every journal partition, moved on by compare-and-set."""
