"""Load tests: what the service is measured with, and what was measured."""
