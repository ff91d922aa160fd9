"""The rehearsal: the deployment workflow itself, run on this machine against the local AWS."""
