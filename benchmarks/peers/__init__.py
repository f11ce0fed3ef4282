"""Other queues, and ours, behind one silhouette, so that one driver measures them all."""
