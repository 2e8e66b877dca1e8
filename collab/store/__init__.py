"""The durable side: ports in base, one SQL adapter for SQLite and Postgres."""
