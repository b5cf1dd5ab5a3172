"""The grid for editors and people: its JSON Schema and its page of reference."""
