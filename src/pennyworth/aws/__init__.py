"""AWS as objects: the account, a stack, a function's versions, credentials, certificates."""
