"""The typed job queue for Python that needs nothing but Postgres."""
