"""What was used of the bucket, and what that costs. Functions of values: nobody is asked here."""
