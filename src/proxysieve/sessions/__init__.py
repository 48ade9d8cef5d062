"""HOLDS a session: its proxy, its cookies, its data and its clients."""
