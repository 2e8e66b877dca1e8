"""CRDT documents made live in child processes, for content work and folding. The only home of pycrdt documents."""
