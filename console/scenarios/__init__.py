"""Offers tried out on scenarios, written beside their definitions: given events, expected outputs, no broker."""
