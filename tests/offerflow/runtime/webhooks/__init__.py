"""What a webhook may reach, how it is signed, and what comes of one request."""
