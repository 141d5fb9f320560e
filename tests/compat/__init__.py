"""Programs written for Circus 0.19, on the distribution cvec-circus-compat and on the real one."""
