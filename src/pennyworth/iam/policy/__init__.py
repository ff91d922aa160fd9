"""Who may do what in AWS: the documents in policies/, and how they follow from the template."""
