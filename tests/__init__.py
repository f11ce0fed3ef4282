"""Everything that proves what cuckmq promises."""
