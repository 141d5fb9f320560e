"""The plugin kernel: what a plugin implements, what it may ask, and how it is found."""
