"""What a run shows: a line for each job, a bar, the plan as a table, and the final summary."""
