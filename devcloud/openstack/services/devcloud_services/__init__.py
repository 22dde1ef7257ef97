"""Each OpenStack project as one process: its API and its workers together, on native threads.

The workers hear from the API over oslo.messaging's `fake://` transport, whose exchanges belong to the
class and so are shared by everything in the process.
"""
