"""What came of an offer's arms: entered, completed, rewarded, paid for, and how sure one can be of it."""
