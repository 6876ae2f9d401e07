"""What is on the wire: the event plan, Avro codecs, the raw envelope, dead letters, outputs."""
