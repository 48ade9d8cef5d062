"""What came back: an exchange into a verdict."""
