"""What the edge serves, as an OpenAPI 3.1 document: made of the routes of its protocols and of its API, and checked in
as docs/openapi.json. ``python -m producers.ingest.openapi`` prints it."""
