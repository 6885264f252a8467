output "queue_url" {
  description = "Where events are sent."
  value       = aws_sqs_queue.events.url
}

output "database_host" {
  description = "Where they end."
  value       = aws_db_instance.events.address
}

output "owner_secret" {
  description = "The login of the database's owner, for the DBA."
  value       = aws_db_instance.events.master_user_secret[0].secret_arn
}

output "keys_secret" {
  description = "Where the key file goes."
  value       = aws_secretsmanager_secret.keys.arn
}

output "login_secret" {
  description = "Where sluice's own login goes."
  value       = aws_secretsmanager_secret.login.arn
}
