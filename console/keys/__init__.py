"""Keys of sources as records of the catalog: what may be made of them, and what each change writes."""
