"""What needs a GPU package, each with its fallback."""
