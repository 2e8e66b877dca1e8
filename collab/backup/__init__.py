"""Backups of a whole database: consistent while it is in use, and the same for SQLite and Postgres."""
