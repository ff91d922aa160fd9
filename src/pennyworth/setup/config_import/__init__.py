"""Makes a config file that works here from one of LiteLLM's proxy: the same text, without what has no effect."""

from pennyworth.setup.config_import.convert import Imported, Step, import_config

__all__ = ["Imported", "Step", "import_config"]
