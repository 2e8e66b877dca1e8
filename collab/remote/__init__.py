"""Commands for a running service, over its REST API. Heavy imports wait until a command needs them."""
