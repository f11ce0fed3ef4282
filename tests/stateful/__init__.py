"""The queue's functions beside a plain model of them, step by step."""
