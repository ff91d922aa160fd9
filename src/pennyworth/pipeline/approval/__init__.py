"""Change sets that somebody approves: made and shown in one job, executed as they are in another."""
