"""Speed, measured: ratios in one run on one machine."""
