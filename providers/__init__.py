"""The only code that knows a vendor: the chat model, the embedded model server, the encoders."""
