"""P1 to P15, one module each: `measure(run)` notes what it measures and holds ratios to their goals."""
