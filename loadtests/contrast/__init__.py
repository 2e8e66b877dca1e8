"""REST polling against WebSockets: the same people typing the same text, over either, measured from outside."""
