"""A local AWS emulator for the demo, the tests and the rehearsal: MiniStack, with our additions."""
