"""Hostile input: corpus, fuzzers, and every bomb that a client may throw."""
