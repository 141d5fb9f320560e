"""The place of the library: an engine inside a program that has its own main function."""
