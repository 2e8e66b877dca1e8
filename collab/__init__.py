"""Self-hosted collaborative editing backend for Yjs editors."""

__version__ = "0.1.0"
