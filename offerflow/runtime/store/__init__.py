"""The relational store: reward lists, offers on hold, webhook endpoints and their queues. No decision ever reads it."""
