"""Where faults come from: one file, one rig."""
