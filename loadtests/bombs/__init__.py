"""What each bomb costs the server, and what others feel of it."""
