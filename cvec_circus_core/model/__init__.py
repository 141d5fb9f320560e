"""The nouns: names, options, specs, events, messages, views and errors. They know nothing else."""
