"""What deploy/ ships, held against the programs it is for."""
