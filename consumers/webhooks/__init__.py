"""outputs -> endpoints: every announcement delivered by signed webhook to whoever subscribed, at least once."""
