"""Webhooks as such: which addresses may be reached, how a request is signed and posted, what came of it."""
