"""Requests that people make by hand or by file: entering users into offers, and what becomes of rewards."""
