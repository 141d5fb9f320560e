"""The programs: circusd and circusctl. They speak to the kernel through `cvec_circus_core.api`."""
