"""What an evaluation on finitely many documents allows to say: intervals, tests, certificates."""
