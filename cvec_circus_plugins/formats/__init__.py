"""File formats: text to raw sections."""
