"""The features that come with the kernel: commands and file formats, found by entry points.

Everything here imports `cvec_circus_core.api` and nothing else of the kernel, like the plugins of
anybody else.
"""
