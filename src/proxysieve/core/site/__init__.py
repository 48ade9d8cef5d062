"""One site, whatever the policy: its state, its sessions, its rate cap, and when a request is retried."""
