"""The commands: one file each, named after the command, so that circusctl loads only the one."""
