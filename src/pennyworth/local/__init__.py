"""Local replacements of AWS, GitHub and a language model, and the demo and rehearsal that use them."""
