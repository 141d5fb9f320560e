"""What processes and the machine use, as numbers."""
