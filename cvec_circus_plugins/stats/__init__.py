"""Live statistics: measured while somebody listens, and published once a second."""
