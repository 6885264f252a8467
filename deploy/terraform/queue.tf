# The queue.  What was received so often without an end goes to the queue behind it; a good message
# never is, unless an outage outlasts sluice's patience twenty times.
resource "aws_sqs_queue" "events" {
  name                       = var.name
  visibility_timeout_seconds = 60
  receive_wait_time_seconds  = 20
  message_retention_seconds  = 1209600
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.undelivered.arn
    maxReceiveCount     = 20
  })
}

resource "aws_sqs_queue" "undelivered" {
  name                      = "${var.name}-undelivered"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

# Messages that cannot become a row, their bodies sealed: dead_letter: queue:URL.
resource "aws_sqs_queue" "bad" {
  name                      = "${var.name}-bad"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}
