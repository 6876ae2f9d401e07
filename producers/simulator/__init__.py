"""Seeded journeys of made-up users: the traffic of demos, tests and benchmarks, good and deliberately broken."""
