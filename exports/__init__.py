"""What leaves the app: reports, drawn charts, and what they are made of.

Files are written into a folder that somebody else provides. Nothing here knows a screen, a bucket
or a prediction log.
"""
