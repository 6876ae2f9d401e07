"""The HTTP edge: takes events by HTTP and answers once Kafka has them. ``app`` routes, ``adapters`` translate."""
