"""READS proxies from files, web addresses and the standard input, and the table of gateway providers."""
