"""One program a queue. Each installs, puts in and works in the way its own manual recommends."""
