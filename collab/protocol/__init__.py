"""Bytes on the wire: variable-length integers and messages of the plain Yjs dialect."""
