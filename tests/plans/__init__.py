"""What calls cost, counted in buffers, when tables are large and statistics are missing."""
