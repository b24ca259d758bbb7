"""What the rules ask: paths, inputs, and the words of their commands."""
