"""What faults are played on: servers in pairs, and servers that are set or placed in a certain way."""
