"""What plugins and command-line tools may import, and nothing else of the kernel."""

from cvec_circus_core.extend.command import Command
from cvec_circus_core.extend.request import REQUIRED, Prop, Request, prop, properties

__all__ = ["REQUIRED", "Command", "Prop", "Request", "prop", "properties"]
