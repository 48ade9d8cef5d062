"""What browsers look like: their headers, what a user agent says, and which browsers sessions look like."""
