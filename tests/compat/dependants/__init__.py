"""Public programs that import circus, on cvec-circus-compat and on what they require."""
