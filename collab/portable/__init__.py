"""One document as one file: a zip that a person can look into and any version from this one on can read back."""
