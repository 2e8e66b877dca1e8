"""Fan-out benchmark: how many edits a second one core carries to every other client, ours and the peers'."""
