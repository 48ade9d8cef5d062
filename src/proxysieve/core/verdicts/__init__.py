"""What came back: it makes a verdict of an exchange."""
