"""What stands between the network and the WSGI application: ASGI, threads, framing, deadlines."""
