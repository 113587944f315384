"""The performance and exactness tables, as commands anyone can run."""
