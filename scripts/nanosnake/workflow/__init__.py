"""What the rules need: paths, inputs, and the words of their commands."""
