"""The programs as a user runs them, on a real broker and a real Redis, judged by the oracle."""
