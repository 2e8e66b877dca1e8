"""Yjs V1 bytes in plain Python: decode, check, account, merge, squash, diff. No CRDT engine is needed here."""
