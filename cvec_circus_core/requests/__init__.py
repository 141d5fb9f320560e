"""Whatever has a caller enters here: admission, dispatch, rate limits, audit. No wire format."""
