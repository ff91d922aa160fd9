"""AWS's JSON APIs without its SDK, which would cost a cold start a third of a second. Imported only where called."""
