"""Three nodes, real clients, and everything between them failing: nothing acked is lost, and all end up equal."""
