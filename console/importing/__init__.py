"""Past events from files: read, put into envelopes, judged against the plan, sorted by their times, and sent."""
