locals {
  # queue, metric, more than which, and what it means
  alarms = {
    behind = {
      queue  = aws_sqs_queue.events.name
      metric = "ApproximateAgeOfOldestMessage"
      above  = var.oldest_seconds
      says   = "sluice is behind, or stands still: look at its log"
    }
    bad = {
      queue  = aws_sqs_queue.bad.name
      metric = "ApproximateNumberOfMessagesVisible"
      above  = 0
      says   = "messages could not become rows: their attributes say why"
    }
    undelivered = {
      queue  = aws_sqs_queue.undelivered.name
      metric = "ApproximateNumberOfMessagesVisible"
      above  = 0
      says   = "messages were received again and again without an end: they are not in the table"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "queues" {
  for_each = local.alarms

  alarm_name          = "sluice-${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = "AWS/SQS"
  metric_name         = each.value.metric
  dimensions          = { QueueName = each.value.queue }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topics
  ok_actions          = var.alarm_topics
}

resource "aws_cloudwatch_metric_alarm" "none" {
  alarm_name          = "sluice-${var.name}-none"
  alarm_description   = "no sluice runs: it ends at its start; its log says why, with its exit status"
  namespace           = "ECS/ContainerInsights"
  metric_name         = "RunningTaskCount"
  dimensions          = { ClusterName = aws_ecs_cluster.sluice.name, ServiceName = aws_ecs_service.sluice.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topics
  ok_actions          = var.alarm_topics
}
