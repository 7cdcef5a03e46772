"""The prompt language: from the text a person types to token chunks; knows no networks and imports torch only inside functions."""
