"""The simulator: server, pages, network and faults in one deterministic world (docs/simulator.md)."""
