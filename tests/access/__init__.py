"""Who may do what, proven on a real server."""
