"""WebSocket shells around one session core."""
