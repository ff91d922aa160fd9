"""Preview a deployment: changes of resources, permissions and cost. Nothing is deployed."""

from pennyworth.pipeline.preview.preview import Inputs, Preview, State, preview
from pennyworth.pipeline.preview.render import as_json, as_markdown, render_headline

__all__ = ["Inputs", "Preview", "State", "as_json", "as_markdown", "preview", "render_headline"]
