"""REST: parse, one call, shape the answer."""
