"""Who is calling and what they may do: API keys, JWTs, tickets, one policy."""
