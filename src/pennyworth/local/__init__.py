"""Everything foreign, on this machine: AWS, GitHub, a language model, and what is tried with them."""
