"""The queue in SQL, function by function, on real PostgreSQL."""
