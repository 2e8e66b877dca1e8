"""Rooms, sessions and presence as plain state machines: no await, no clock, no logging."""
