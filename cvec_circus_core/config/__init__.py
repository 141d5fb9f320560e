"""Text becomes types: raw sections with file and line, expansion, specs or all problems at once."""
