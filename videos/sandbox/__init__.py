"""The built-in stand-in for the provider. `server.Sandbox` is its face; `words.WORDS` lists the magic words."""
