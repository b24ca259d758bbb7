"""S3: where objects are, the client, and what can go wrong, in words that contain no secret.

place.py     s3://bucket/key, and the endpoint that is asked for it
client.py    the client, with credentials from the environment and the usual files alone
problems.py  one message for each kind of failure
"""
