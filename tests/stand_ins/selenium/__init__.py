"""What passes for Selenium in the tests, which have no ChromeDriver: the same names, on a real Chromium."""
