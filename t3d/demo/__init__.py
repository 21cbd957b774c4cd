"""What only the demonstration needs: a tiny text encoder, and the page that it ends with."""
