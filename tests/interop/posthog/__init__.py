"""PostHog's SDKs against the edge."""
