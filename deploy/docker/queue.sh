#!/bin/sh
# queue.sh - the queue of the exercise; LocalStack runs it once it is ready.
exec awslocal sqs create-queue --queue-name login-queue --region us-east-1
