"""What a URL is sent as, which host it names, and where a redirect leads."""
