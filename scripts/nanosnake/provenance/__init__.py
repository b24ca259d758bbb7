"""What was made from what: a record of each job, a manifest of what is published, and its verification."""
