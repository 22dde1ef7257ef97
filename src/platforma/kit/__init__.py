"""Words that every layer shares; imports nothing above itself."""
