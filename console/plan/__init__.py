"""The event plan for people: what was seen of it, entries by name, schemas drafted from samples, pages, AsyncAPI."""
