"""The setting-up of an AWS account and a repository, done once by a person with their own rights."""
