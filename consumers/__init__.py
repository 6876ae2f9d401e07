"""The stages: validation turns raw records into the journal, rules fold the journal into offers and rewards."""
