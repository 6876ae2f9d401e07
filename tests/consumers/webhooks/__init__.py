"""Webhooks: real requests to real receivers on the loopback interface, on a clock that tests move."""
