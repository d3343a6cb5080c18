"""What the app does, without a browser: the screens and the command line call the same jobs."""
