"""What a deployment would do: to the stack's resources, to who may do what, and to the bill. It changes nothing."""

from pennyworth.pipeline.preview.preview import Inputs, Preview, State, preview
from pennyworth.pipeline.preview.render import as_json, as_markdown, render_headline

__all__ = ["Inputs", "Preview", "State", "as_json", "as_markdown", "preview", "render_headline"]
