"""Where shards come from, and what is known about one."""
