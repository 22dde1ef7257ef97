"""What a development machine runs beside Platforma: clouds and payment services of its own.

Nothing here is imported by the product, and nothing here imports the product: they meet only over
HTTP, exactly as the product meets the real services.
"""
