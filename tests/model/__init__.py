"""The protocol as a small machine, and every state that it can come to."""
