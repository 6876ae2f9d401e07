"""The offers and rewards API: writes are records in the journal, reads are folds of it. For servers only."""
