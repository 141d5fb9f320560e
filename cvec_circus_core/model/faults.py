"""What is wrong with an option: one type for files, commands, plugins, streams and the machine."""

from __future__ import annotations


class Fault(ValueError):
    """What is wrong with one option, or with several together.

    The sentence continues the option's name: "isn't an integer". It is raised where nothing can go
    on without the option, and returned where all faults are gathered.
    """

    def __init__(
        self,
        key: str,
        sentence: str,
        allowed: str = "",
        *,
        is_secret: bool = False,
        is_doubt: bool = False,
    ) -> None:
        super().__init__(f"{key} {sentence}".lstrip())
        self.key = key
        """Empty where the options do not fit together."""
        self.sentence = sentence
        self.allowed = allowed
        self.is_secret = is_secret
        """Whether what was given may not be shown."""
        self.is_doubt = is_doubt
        """Whether it does no harm, and is probably not meant."""
