"""Where shards come from, and what is known of one."""
