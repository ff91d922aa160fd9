"""Your own OpenAI-compatible LLM endpoint, in your own AWS account."""

__version__ = "0.1.0"
