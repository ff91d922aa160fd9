"""An HTTP/1.1 client for upstreams: strict about where an answer ends, and never waiting blindly."""
