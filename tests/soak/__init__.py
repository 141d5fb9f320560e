"""A daemon under everything at once, for as long as one likes."""
