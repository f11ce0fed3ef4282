"""The verbs of the queue as values: one module each, a typed call of one SQL function. No I/O."""
