"""Explanations and users as text: for support, for whoever writes offers, on terminals."""
