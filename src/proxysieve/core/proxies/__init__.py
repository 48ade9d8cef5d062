"""Where a request may leave: the proxies that there are, what each carries, and what other sites say of it."""
