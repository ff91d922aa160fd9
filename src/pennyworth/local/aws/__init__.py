"""AWS on this machine: MiniStack and the gaps that we fill, for the demo, the tests and the rehearsal."""
