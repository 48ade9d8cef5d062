"""What is told of a site, of its sessions and exits. Nothing is decided here."""
