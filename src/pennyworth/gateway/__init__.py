"""What runs in Lambda, and anywhere else: a synchronous WSGI application with two lanes.

Imports nothing from its siblings.
"""
