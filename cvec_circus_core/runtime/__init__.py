"""The asyncio shell around the decisions: it carries out, and judges nothing."""
