"""As in Selenium."""
