"""A database backend whose connections the threads of a process share; see `shelf`."""
