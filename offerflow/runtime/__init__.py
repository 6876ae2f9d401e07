"""Adapters to the world: Kafka, Redis, settings, metrics, logs, health. Each foreign library has one room here."""
