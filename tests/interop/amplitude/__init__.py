"""Amplitude's SDKs against the edge."""
